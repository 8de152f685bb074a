"""A saved plan's JSON becomes a `Saved`.

Rules of this file:
- Text that comes in is checked whole before anything is believed; a changed file no longer has its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Place, Severity
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Action, Change, Condition, Phase, Promise, Step
from cf_mtls.model.resources import Kind, Scope
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.planfile import SCHEMA, SEALED
from cf_mtls.planning.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cf_mtls.model.people import Expect
    from cf_mtls.model.resources import Address, Resource

NOT_A_PLAN = Code("planfile.malformed", Severity.ERROR, Fault.FILE, "the file is not a saved plan")
CHANGED = Code("planfile.changed", Severity.ERROR, Fault.FILE, "the saved plan was changed")
NOT_APPLYABLE = Code(
    "planfile.refused", Severity.ERROR, Fault.FILE, "the saved plan was refused when it was made"
)


Demand = Literal["allowed", "refused"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Certificate(_Strict):
    name: str
    associated_hostnames: list[str]
    fingerprints: list[str] = Field(min_length=1)
    expirations: list[Annotated[AwareDatetime, Field(strict=False)]] = Field(min_length=1)
    sha256: str | None
    pem: str | None
    id: str | None
    elsewhere: str | None
    contents: str


class _Settings(_Strict):
    hostname: str
    client_certificate_forwarding: bool
    china_network: bool


class _Rules(_Strict):
    name: str
    include: list[dict[str, Any]]
    require: list[dict[str, Any]]
    exclude: list[dict[str, Any]]


class _Policy(_Rules):
    decision: str
    fields: dict[str, Any]
    id: str | None
    reusable: bool


class _Group(_Rules):
    id: str


class _Application(_Strict):
    name: str
    destinations: list[dict[str, Any]]
    policies: list[_Policy]
    fields: dict[str, Any]
    id: str | None
    elsewhere: str | None


SHAPES: dict[Kind, type[_Strict]] = {
    Kind.CERTIFICATE: _Certificate,
    Kind.SETTINGS: _Settings,
    Kind.APPLICATION: _Application,
    Kind.POLICY: _Policy,
    Kind.GROUP: _Group,
}
"""What `codec` writes of each kind."""


class _Promise(_Strict):
    requests: int
    states: int
    is_kept: bool


class _Step(_Strict):
    phase: str
    address: str
    value: dict[str, Any] | None
    cause: str
    wait: Condition | None
    group: int


class _Change(_Strict):
    address: str
    action: Literal["create", "update", "delete"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    attributes: list[str]


class _Target(_Strict):
    url: str
    application: str
    method: str
    expect_status: int | None


class _Client(_Strict):
    name: str
    certificate: str
    key: str | None
    expect: Demand | dict[str, Demand] | None
    passphrase_env: str | None = None
    passphrase_file: str | None = None


class _Scope(_Strict):
    kind: Literal["account", "zone"]
    id: str


class _Ours(_Strict):
    schema_: int = Field(alias="schema")
    version: str
    digest: str
    stack: str
    scope: _Scope
    relied_on: dict[str, str]
    changes: list[_Change]
    steps: list[_Step]
    promise: _Promise
    targets: list[_Target]
    clients: list[_Client]
    desired: dict[str, dict[str, Any]] = {}


class _File(BaseModel):
    """The outer shape; other members are Terraform's and not read."""

    model_config = ConfigDict(extra="ignore", strict=True)

    format_version: str
    applyable: bool
    cf_mtls: _Ours


def load(raw: bytes, file: str, *, to_apply: bool = True) -> Saved:
    """A saved plan. Raises Failure when it is not one or was changed since.

    to_apply: also when it has nothing to do or was refused when it was made.
    """
    place = Place(file)
    try:
        found = _File.model_validate_json(raw)
        saved = _saved(found.cf_mtls)
    except (ValidationError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = str(error).splitlines()[0][:200]
        raise Failure(
            [NOT_A_PLAN.found(f"{file}: {why}.", "Make it with:\n    cf-mtls plan --out", place)]
        ) from None
    ours = found.cf_mtls.model_dump(by_alias=True)
    sealed = {key: ours[key] for key in SEALED}
    if codec.digest(sealed) != saved.digest:
        raise Failure(
            [CHANGED.found("Its digest is not that of its content.", "Plan again.", place)], Exit.REFUSED
        )
    if to_apply and not found.applyable:
        detail = "It has nothing to do, or something stood in its way."
        raise Failure([NOT_APPLYABLE.found(detail, "Plan again and read what it says.", place)], Exit.REFUSED)
    return saved


def _saved(ours: _Ours) -> Saved:
    if ours.schema_ != SCHEMA:
        message = f"its schema is {ours.schema_}, this program reads {SCHEMA}"
        raise ValueError(message)
    return Saved(
        ours.stack,
        Scope(ours.scope.kind, ours.scope.id),
        tuple(_read_change(change) for change in ours.changes),
        tuple(_read_step(step) for step in ours.steps),
        {codec.address(a): standing for a, standing in ours.relied_on.items()},
        Promise(**ours.promise.model_dump()),
        tuple(Target(**t.model_dump()) for t in ours.targets),
        tuple(map(_read_client, ours.clients)),
        ours.digest,
        State(_read_desired(ours.desired)),
    )


def _read_client(raw: _Client) -> Client:
    return Client(
        raw.name,
        raw.certificate,
        raw.key,
        _demands(raw.expect),
        passphrase_env=raw.passphrase_env,
        passphrase_file=raw.passphrase_file,
    )


def _demands(raw: str | Mapping[str, str] | None) -> Expect:
    match raw:
        case None:
            return None
        case str():
            return Expected(raw)
        case _:
            return tuple(sorted((url, Expected(word)) for url, word in raw.items()))


def _read_desired(raw: dict[str, dict[str, Any]]) -> Iterable[tuple[Address, Resource]]:
    for text_, value in raw.items():
        address = codec.address(text_)
        resource = _resource(address, value)
        if resource is not None:
            yield address, resource


def _resource(address: Address, raw: dict[str, Any] | None) -> Resource | None:
    if raw is not None:
        SHAPES[address.kind].model_validate(raw)
    return codec.read(address.kind, raw)


def _read_change(raw: _Change) -> Change:
    address = codec.address(raw.address)
    before, after = _resource(address, raw.before), _resource(address, raw.after)
    return Change(address, Action(raw.action), before, after, tuple(raw.attributes))


def _read_step(raw: _Step) -> Step:
    address = codec.address(raw.address)
    value = _resource(address, raw.value)
    return Step(Phase[raw.phase.upper()], address, value, codec.address(raw.cause), raw.wait, raw.group)
