"""A saved plan's JSON becomes a `Saved`.

Rules of this file:
- Text that comes in is checked whole before anything is believed: it must be, member for member, what this program
  writes of the value that was read, so nothing is unknown, twice, of another type, or in one part and not in the other.
- A changed file no longer has its digest; but whoever can edit a file can compute one, so that what a file says was
  decided is never believed: see `workflow.again`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Place, Severity
from cf_mtls.model.asked import Asked
from cf_mtls.model.frozen import canonical
from cf_mtls.model.people import Client, Shown, Target
from cf_mtls.model.plan import Action, Allowed, Change, Inputs, Phase, Promise, Removed, Step
from cf_mtls.model.resources import Address, Scope
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.declared_again import faults
from cf_mtls.planning.planfile import SCHEMA, sealed, written
from cf_mtls.planning.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.model.plan import Condition
    from cf_mtls.model.resources import Resource

NOT_A_PLAN = Code("planfile.malformed", Severity.ERROR, Fault.FILE, "the file is not a saved plan")
OTHER_SCHEMA = Code(
    "planfile.schema", Severity.ERROR, Fault.FILE, "the saved plan is of another version of this program"
)
CHANGED = Code("planfile.changed", Severity.ERROR, Fault.FILE, "the saved plan was changed")
NOT_APPLYABLE = Code(
    "planfile.refused", Severity.ERROR, Fault.FILE, "the saved plan was refused when it was made"
)

WRONG = (LookupError, ValueError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading anything but a saved plan may raise."""


def load(raw: bytes, file: str, *, to_apply: bool = True) -> Saved:
    """A saved plan. Raises Failure when it is not one or was changed since.

    to_apply: also when it was refused when it was made. A plan without changes is a plan.
    """
    place = Place(file)
    try:
        found = _parsed(raw)
        other = found["cf_mtls"]["schema"]
        if type(other) is int and other != SCHEMA:
            raise Failure([_other_schema(other, place)])
        saved = _saved(found["cf_mtls"])
        why = _changed(saved, found)
        if why:
            raise Failure([CHANGED.found(why, "Plan again.", place)], Exit.REFUSED)
        reason = next(faults(saved), None)
    except WRONG as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    if reason:
        raise Failure(
            [NOT_A_PLAN.found(f"{file}: {reason}.", "Make it with:\n    cf-mtls plan --out", place)]
        )
    if to_apply and saved.refused:
        detail = f"What stood in its way: {', '.join(saved.refused)}."
        raise Failure([NOT_APPLYABLE.found(detail, "Plan again and read what it says.", place)], Exit.REFUSED)
    return saved


def _other_schema(schema: int, place: Place) -> Diagnostic:
    detail = f"Its schema is {schema}, this program reads {SCHEMA}."
    return OTHER_SCHEMA.found(detail, "Plan again, with this version:\n    cf-mtls plan --out FILE", place)


def _changed(saved: Saved, found: dict[str, Any]) -> str:
    """What shows that a file is not as it was written; empty when nothing does."""
    if codec.digest(sealed(saved)) != saved.digest:
        return "Its digest is not that of its content."
    if canonical(written(saved)) != canonical(found):
        return "It holds something that `cf-mtls plan` did not write, or its two halves say different things."
    return ""


def _parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of a file. ValueError for anything else, a member written twice included."""
    found = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(found, dict):
        message = "it is no JSON object"
        raise TypeError(message)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")  # half a character cannot be shown
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a member is written twice"
        raise ValueError(message)
    return found


def _no_number(text: str) -> NoReturn:
    message = f"{text} is no number of JSON"
    raise ValueError(message)


def _saved(ours: Mapping[str, Any]) -> Saved:
    if ours["schema"] != SCHEMA:
        message = "its schema is none"
        raise ValueError(message)
    return Saved(
        codec.read_as(str, ours["stack"]),
        codec.read_as(Scope, ours["scope"]),
        _inputs(ours),
        tuple(map(_read_change, ours["changes"])),
        tuple(map(_read_step, ours["steps"])),
        {codec.address(a): codec.read_as(str, standing) for a, standing in ours["relied_on"].items()},
        codec.read_as(Promise, ours["promise"]),
        _read_state(ours["desired"]),
        _read_state(ours["applied"]),
        tuple(codec.read_as(Address, a) for a in ours["left_out"]),
        tuple(codec.read_as(str, code) for code in ours["refused"]),
        codec.read_as(str, ours["version"]),
        codec.read_as(str, ours["digest"]),
    )


def _inputs(ours: Mapping[str, Any]) -> Inputs:
    return Inputs(
        _read_state(ours["declared"]),
        frozenset(codec.read_as(str, host) for host in ours["hosts"]),
        codec.read_as(Allowed, ours["allowed"]),
        tuple(codec.read_as(Client, client) for client in ours["clients"]),
        tuple(codec.read_as(Target, target) for target in ours["targets"]),
        {name: codec.read_as(Shown, shown) for name, shown in ours["shown"].items()},
        tuple(codec.read_as(str, pem) for pem in ours["beside"]),
        codec.read_as(bool, ours["is_destroy"]),
        tuple(codec.read_as(Removed, removed) for removed in ours["removed"]),
        codec.read_as(Asked, ours["asked"]),
    )


def _read_state(raw: Mapping[str, Any]) -> State:
    return State(_read_resources(raw))


def _read_resources(raw: Mapping[str, Any]) -> dict[Address, Resource]:
    read = (
        (address, codec.read(address.kind, raw[text])) for text in raw for address in [codec.address(text)]
    )
    return {address: resource for address, resource in read if resource is not None}


def _read_change(raw: Mapping[str, Any]) -> Change:
    address = codec.address(raw["address"])
    before, after = codec.read(address.kind, raw["before"]), codec.read(address.kind, raw["after"])
    attributes = tuple(codec.read_as(str, name) for name in raw["attributes"])
    return Change(address, Action(raw["action"]), before, after, attributes)


def _read_step(raw: Mapping[str, Any]) -> Step:
    address = codec.address(raw["address"])
    return Step(
        Phase[raw["phase"].upper()],
        address,
        codec.read(address.kind, raw["value"]),
        codec.address(raw["cause"]),
        _one_condition(raw["wait"]),
        codec.read_as(int, raw["group"]),
    )


def _one_condition(raw: object) -> Condition | None:
    match raw:
        case None | "detached" | "settled":
            return raw
        case _:
            message = "a step waits for something that is not known"
            raise ValueError(message)
