"""A saved plan: the same bytes for the same plan, refused when it was changed or the account moved."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from cf_mtls.diagnostics import Diagnostic, Exit, Failure, has_errors
from cf_mtls.model.asked import Asked
from cf_mtls.model.frozen import Record, freeze, freeze_object
from cf_mtls.model.people import Client, Shown, Target
from cf_mtls.model.plan import NOTHING, Allowed, Change, Inputs, Plan, Promise, Removed, Step
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning import codec
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge
from cf_mtls.planning.planfile import (
    INPUTS,
    _change,
    _step,
    as_json,
    digest_of,
    saved_of,
    sealed,
    text,
    written,
)
from cf_mtls.planning.planfile_reader import load
from cf_mtls.planning.saved import Saved
from cf_mtls.workflow import again
from tests.conftest import Counted
from tests.planning.saved_worlds import NOW, a_plan, done, inputs_for, made_from, saved
from tests.planning.worlds import BUDGET, named


def test_a_plan_survives_being_saved_byte_for_byte() -> None:
    """Written, read, laid on the same account and written again: the same bytes and the same digest."""
    for seed in range(40 * BUDGET):
        made = a_plan(seed)
        file = load(saved(made), "p.json")
        back = again(file, made.actual, NOW, is_approved=True)
        assert saved(back) == saved(made), f"seed {seed}"
        assert (back.steps, back.changes) == (made.steps, made.changes)
        assert digest_of(back) == file.digest == digest_of(made)
        assert file.inputs == made.inputs


def test_a_plan_on_an_account_that_moved_is_refused_by_name() -> None:
    """Anything that the plan relied on and that changed, went or appeared is named; exit 4; but for its own work."""
    moved = 0
    for seed in range(20 * BUDGET):
        made = a_plan(seed)
        plan = load(saved(made), "p.json")
        own = {step.address for step in plan.steps if step.value is None}
        for address in plan.relied_on:
            resource = made.actual[address]
            if not isinstance(resource, CaCertificate | AccessApplication):
                continue
            for other in (None, replace(resource, name="somebody else's"), replace(resource, id="another")):
                if other is None and address in own:
                    continue
                with pytest.raises(Failure) as caught:
                    again(plan, made.actual.put(address, other), NOW, is_approved=True)
                assert caught.value.exit_code is Exit.REFUSED
                assert str(address) in str(caught.value)
                moved += 1
    assert moved > 100


def test_a_run_that_stopped_anywhere_continues_under_the_digest_that_was_approved(counted: Counted) -> None:
    """After any step what is left is a part of the plan and leads where it led; afterwards nothing is left.

    With somebody else's change on top it is stale.
    """
    stops = 0
    for seed in range(15 * BUDGET):
        made = a_plan(seed)
        plan = load(saved(made), "p.json")
        end = done(made.actual, made.steps)
        for number in range(len(made.steps) + 1):
            here = done(made.actual, made.steps[:number])
            left = again(plan, here, NOW, is_approved=True)
            assert not has_errors(left.diagnostics), (seed, number, left.diagnostics)
            assert not diff(end, done(here, left.steps)), (seed, number)
            assert left.is_empty == (number == len(made.steps) or not diff(here, end)), (seed, number)
            stops += 1
            for address in plan.relied_on:
                if (there := here.get(address)) and not isinstance(there, HostnameSettings):
                    with pytest.raises(Failure, match=re.escape(str(address))):
                        again(plan, here.put(address, replace(there, name="moved")), NOW, is_approved=True)
    counted(f"saved plans stopped at {stops} places: all continued")


def _policy(kind: str, *rules: Rule) -> AccessPolicy:
    return AccessPolicy("shared", "non_identity", rules, id=kind, reusable=True)


def _group(id_: str, *rules: Rule) -> AccessGroup:
    return AccessGroup(id_, rules, (), (), id_)


G1, G2, G3 = (Address(Kind.GROUP, name) for name in ("g1", "g2", "g3"))
P, OTHER = Address(Kind.POLICY, "p"), Address(Kind.POLICY, "other")
SHUT = Allowed(lockout=frozenset({"a.x.net", "jean@https://a.x.net/", "out@https://a.x.net/"}))
SHARED = State(
    {
        P: _policy("p", named("x"), Rule("group", freeze({"id": "g1"}))),
        OTHER: _policy("other", named("x")),
        G1: _group("g1", Rule("group", freeze({"id": "g2"}))),
        G2: _group("g2", named("y")),
        G3: _group("g3", named("y")),
    }
)


@pytest.mark.parametrize(
    ("address", "opened"),
    [(P, _policy("p", Rule("everyone"))), (P, None), (G1, _group("g1", Rule("everyone"))),
     (G2, _group("g2", Rule("everyone"))), (G2, None)],
    ids=["policy opened", "policy gone", "its group opened", "the group's group opened", "the group's group gone"],
)  # fmt: skip
@pytest.mark.parametrize("is_new", [True, False])
def test_what_rules_elsewhere_say_is_relied_on(
    address: Address, opened: Resource | None, *, is_new: bool
) -> None:
    """A plan whose application refers to a reusable policy is stale when that, or a group behind it, moved."""
    app = AccessApplication(
        "a (cf-mtls s)", (public("a.x.net"),), (AccessPolicy("", "", (), id="p", reusable=True),)
    )
    at = Address(Kind.APPLICATION, "a.x.net")
    before = (
        SHARED
        if is_new
        else SHARED.put(at, replace(app, name="old (cf-mtls s)", id="1", policies=(SHARED[P],)))
    )
    made = made_from(
        before,
        inputs_for(
            State({at: app}),
            SHUT,
        ),
    )
    plan = load(saved(made), "p.json")
    with pytest.raises(Failure, match=re.escape(str(address))) as caught:
        again(plan, before.put(address, opened), NOW, is_approved=True)
    assert [d.code.code for d in caught.value.diagnostics] == ["plan.stale"]
    for elsewhere in (OTHER, G3):
        again(plan, before.put(elsewhere, None), NOW, is_approved=True)


def test_a_reusable_policy_that_only_its_application_shows_is_relied_on() -> None:
    """As in a zone, where the account's list is not read."""
    at = Address(Kind.APPLICATION, "a.x.net")
    app = AccessApplication(
        "x (cf-mtls s)", (public("a.x.net"),), (AccessPolicy("", "", (), id="p", reusable=True),)
    )
    there = replace(app, id="1", policies=(_policy("p", named("x")),))
    made = made_from(State({at: there}), inputs_for(State({at: replace(app, name="y (cf-mtls s)")}), NOTHING))
    plan = load(saved(replace(made, diagnostics=())), "p.json")
    opened = replace(there, policies=(_policy("p", Rule("everyone")),))
    with pytest.raises(Failure, match="plan is stale"):
        again(plan, State({at: opened}), NOW, is_approved=True)


def test_what_the_plan_did_not_rely_on_may_move() -> None:
    """An application on a host that the plan does not touch changes nothing about it."""
    made = a_plan(1)
    plan = load(saved(made), "p.json")
    elsewhere = AccessApplication("foreign", (freeze_object({"type": "public", "uri": "else.where"}),), ())
    again(plan, made.actual.put(Address(Kind.APPLICATION, "else.where"), elsewhere), NOW, is_approved=True)


def test_an_order_or_a_default_that_the_server_chooses_does_not_make_a_plan_stale() -> None:
    """What is compared is the meaning."""
    made = a_plan(2)
    plan = load(saved(made), "p.json")
    shuffled: dict[Address, Any] = {}
    for address, resource in made.actual.items():
        shuffled[address] = resource
        if isinstance(resource, AccessApplication):
            shuffled[address] = replace(
                resource, fields=freeze_object({"session_duration": "24h", "tags": []})
            )
    again(plan, State(shuffled), NOW, is_approved=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw["cf_mtls"]["steps"].pop(), "planfile.changed"),
        (lambda raw: raw["cf_mtls"]["relied_on"].clear(), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(stack="other"), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(digest="0" * 64), "planfile.changed"),
        (lambda raw: raw["cf_mtls"].update(schema=99), "planfile.schema"),
        (lambda raw: raw["cf_mtls"].update(schema="3"), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"].update(extra=1), "planfile.changed"),
        (lambda raw: raw.pop("cf_mtls"), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"]["steps"][0].update(address="nonsense/x"), "planfile.malformed"),
        (lambda raw: raw["cf_mtls"]["steps"][0].update(value={"name": 1}), "planfile.malformed"),
        (lambda raw: raw.update(applyable=False), "planfile.changed"),
        (lambda raw: raw.update(prior_state={}), "planfile.changed"),
    ],
)
def test_a_changed_file_is_not_believed(change: Any, code: str) -> None:
    """Steps taken out, an account forgotten, another stack: the digest no longer fits."""
    raw = json.loads(saved(a_plan(3)))
    change(raw)
    with pytest.raises(Failure) as caught:
        load(json.dumps(raw).encode(), "p.json")
    assert [d.code.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff{", b'{"format_version": 1}'])
def test_what_is_no_plan_is_said(raw: bytes) -> None:
    """Whatever the bytes: a message, no traceback."""
    with pytest.raises(Failure, match="not a saved plan"):
        load(raw, "p.json")


def test_a_member_that_is_written_twice_is_refused_though_both_say_the_same() -> None:
    """Other readers of the file may take the other one."""
    raw = saved(a_plan(3))
    assert load(raw, "p.json", to_apply=False)
    doubled = raw.replace(b'"complete":', b'"complete": true, "complete":', 1)
    assert doubled != raw
    with pytest.raises(Failure, match="written twice"):
        load(doubled, "p.json", to_apply=False)


def test_a_plan_without_changes_is_a_plan() -> None:
    """Loaded, made again, and still without changes."""
    made = a_plan(5)
    end = done(made.actual, made.steps)
    empty = made_from(end, made.inputs)
    assert empty.is_empty
    plan = load(saved(empty), "p.json")
    assert again(plan, end, NOW, is_approved=False).is_empty


def test_nothing_that_a_plan_is_made_from_is_forgotten() -> None:
    """Whatever is added to these classes must be in the file, or is named here with the reason."""
    assert {f.name for f in fields(Inputs)} == {"declared", *INPUTS}
    assert {f.name for f in fields(Step)} == set(_step(a_plan(1).steps[0]))
    assert {f.name for f in fields(Change)} - {"reason"} == set(
        _change(a_plan(1).changes[0])
    )  # for people only
    from_plan = {
        "actual",
        "coverage",
        "diagnostics",
        "doors",
        "inputs",
    }  # the account, and what was read of it now; `refused`; made again; by its own parts
    assert {f.name for f in fields(Plan)} - from_plan <= set(sealed(saved_of(a_plan(1))))


@pytest.mark.parametrize(
    "kind",
    [Allowed, Asked, Client, Promise, Removed, Shown, Target, *codec.TYPES.values()],
    ids=lambda k: k.__name__,
)
def test_every_field_of_a_class_is_carried(kind: Any) -> None:
    """A value other than the default in each field, one after the other, comes back as it was, and is in the digest."""
    local = {name for owner, name in codec.LOCAL if owner is kind}
    plain = replace(_filled(kind, 0), **{f.name: f.default for f in fields(kind) if f.name in local})
    for field in fields(kind):
        samples = (getattr(_filled(kind, number), field.name) for number in (1, 0))
        other = next(sample for sample in samples if sample != getattr(plain, field.name))
        value = replace(plain, **{field.name: other})
        assert value != plain, field.name
        raw = json.loads(json.dumps(codec.write(value)))
        assert (codec.read_as(kind, raw) == value) == (field.name not in local), field.name
        assert (codec.digest(codec.write(plain)) != codec.digest(raw)) == (field.name not in local), (
            field.name
        )


def _filled(kind: Any, number: int) -> Any:
    """A value of a class in which every field depends on the number."""
    hints = get_type_hints(kind, localns=codec.SAID)
    return kind(**{f.name: _sample(hints[f.name], number) for f in fields(kind)})


def _sample(hint: Any, number: int) -> Any:
    plain: dict[Any, Any] = {
        str: f"text {number}", bytes: b"%d" % number,
        int: number, bool: bool(number), datetime: datetime(2030 + number, 1, 1, tzinfo=UTC),
        Record: freeze_object({"member": number}), Address: Address(Kind.GROUP, str(number)),
    }  # fmt: skip
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in plain:
        return plain[hint]
    if origin is tuple:
        inner = arguments[:1] if arguments[1:] == (...,) else arguments
        return tuple(_sample(one, number) for one in inner)
    if origin is frozenset:
        return frozenset({_sample(arguments[0], number)})
    if origin is not None:  # one of several: each number another one
        return _sample(arguments[0], 0) if number else _sample(arguments[-1], 1)
    if hint is type(None):
        return None
    return list(hint)[number] if issubclass(hint, Enum) else _filled(hint, number)


PROVIDERS = {
    "cloudflare_zero_trust_access_mtls_certificate": {
        "id", "account_id", "zone_id", "name", "certificate", "associated_hostnames", "expires_on", "fingerprint",
    },
    "cloudflare_zero_trust_access_mtls_hostname_settings": {"id", "account_id", "zone_id", "settings"},
}  # fmt: skip
"""The attributes of the provider's resources (cloudflare/cloudflare 5)."""


def test_terraforms_part_holds_terraforms_members_alone() -> None:
    """Of CAs and settings exactly the provider's; of applications nothing of ours, which goes under `cf_mtls`."""
    seen = set()
    for seed in range(20):
        for change in as_json(a_plan(seed))["resource_changes"]:
            for side in filter(None, (change["change"]["before"], change["change"]["after"])):
                seen.add(change["type"])
                assert side.keys() <= PROVIDERS.get(change["type"], side.keys())
                assert not {"sha256", "elsewhere", "contents", "reusable", "fields", "pem"} & side.keys()
                for policy in side.get("policies", ()):
                    assert not {"fields", "reusable"} & policy.keys()
                    assert all(set(rule) == {next(iter(rule))} for rule in policy["include"])
    assert seen >= {
        "cloudflare_zero_trust_access_mtls_certificate",
        "cloudflare_zero_trust_access_application",
    }


def test_a_partial_plan_is_not_complete() -> None:
    """`complete` is Terraform's word for it."""
    made = next(p for p in map(a_plan, range(50)) if len(p.changes) > 1)
    assert as_json(made)["complete"] is True
    first = made.changes[0].address
    part = made_from(
        made.actual, replace(made.inputs, allowed=replace(made.inputs.allowed, targets=frozenset({first})))
    )
    assert as_json(part)["complete"] is False


def test_policy_tools_find_terraforms_shape() -> None:
    """format_version, and resource_changes with the provider's types and actions."""
    made = a_plan(4)
    raw = as_json(made)
    assert raw["format_version"].startswith("1.")
    for change in raw["resource_changes"]:
        assert change["type"].startswith("cloudflare_zero_trust_access_")
        assert change["change"]["actions"][0] in {"create", "update", "delete"}
        assert (change["change"]["before"] is None) == (change["change"]["actions"] == ["create"])
        assert (change["change"]["after"] is None) == (change["change"]["actions"] == ["delete"])


def resealed(made: Saved) -> bytes:
    """A saved plan with the digest of what it holds."""
    return text(written(replace(made, digest=codec.digest(sealed(made))))).encode()


def test_steps_that_were_not_made_from_what_it_says_are_refused() -> None:
    """Left out, and with a digest that fits: what the same inputs come to decides."""
    made = a_plan(6)
    plan = load(resealed(replace(saved_of(made), steps=made.steps[1:])), "p.json")
    for is_approved in (True, False):
        result = [d.code.code for d in _found(plan, made.actual, is_approved=is_approved) if d.is_error]
        assert "planfile.other-steps" in result or not is_approved
        assert result


def test_a_plan_that_was_refused_stays_so() -> None:
    """The codes of what stood in its way are in it; without them the gates say it again."""
    seen = set()
    for seed in range(40):
        made = made_from((plan := a_plan(seed)).actual, replace(plan.inputs, allowed=NOTHING))
        codes = {d.code.code for d in made.diagnostics if d.is_error}
        if codes:
            with pytest.raises(Failure) as caught:
                load(saved(made), "p.json")
            assert [d.code.code for d in caught.value.diagnostics] == ["planfile.refused"]
            assert all(code in str(caught.value) for code in codes)
            turned = load(resealed(replace(saved_of(made), refused=())), "p.json")
            for is_approved in (True, False):
                found = _found(turned, made.actual, is_approved=is_approved)
                assert codes <= {d.code.code for d in found}
            seen |= codes
    assert len(seen) >= 3


def test_without_an_approved_digest_nobody_loses_access_and_nothing_is_allowed() -> None:
    """Whatever was allowed when it was made, and whoever its clients are, unless it is typed again."""
    seen = set()
    for seed in range(30):
        made = a_plan(seed)
        plan = load(saved(made), "p.json")
        alone = {d.code.code for d in _found(plan, made.actual, is_approved=False)}
        typed = {
            d.code.code
            for d in again(plan, made.actual, NOW, made.inputs.allowed, is_approved=False).diagnostics
        }
        errors = {d.code.code for d in made.diagnostics if d.is_error}
        assert "plan.allowed-not-approved" in alone - typed
        assert (
            typed & {"plan.weaker", "plan.too-much-deleted", "plan.locks-out", "plan.unproven"}
            == errors
            == set()
        )
        seen |= alone
    assert seen >= {"plan.losses-not-approved", "plan.weaker"}


def _found(plan: Saved, actual: State, *, is_approved: bool) -> tuple[Diagnostic, ...]:
    try:
        return again(plan, actual, NOW, is_approved=is_approved).diagnostics
    except Failure as failure:
        return failure.diagnostics


def test_a_saved_plan_says_all_that_its_stack_is_once_it_is_applied(counted: Counted) -> None:
    """Every declared thing, changed or not: what it says, declared, leaves nothing to do afterwards."""
    things = 0
    for seed in range(30 * BUDGET):
        made = a_plan(seed)
        plan = load(saved(made), "p.json")
        end = done(made.actual, made.steps)
        assert not diff(end, merge(plan.applied, end, plan.stack, removed=plan.inputs.removed).desired), seed
        assert plan.applied.keys() >= {a for a in plan.inputs.declared if a.kind is not Kind.SETTINGS}, seed
        things += len(plan.applied)
    counted(f"things of a stack in {30 * BUDGET} saved plans: {things}")
