"""What a plan must be allowed to do: each gate is closed until exactly its own words were typed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import Diagnostic
from cf_mtls.model.people import Client, Target
from cf_mtls.model.plan import Plan
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    HostnameSettings,
    Kind,
    Resource,
    Scope,
)
from cf_mtls.model.state import State
from cf_mtls.planning.admission import People
from cf_mtls.planning.gates import by_wildcard, deletions
from cf_mtls.workflow import NOTHING, Allowed, planned
from tests.planning.things import ANYONE, HOLDERS, MAIL, TOKEN, app, app_at, ca, ca_at, policy

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
URL, OTHER_URL = "https://a.net/", "https://b.net/"
WEAKER, TOO_MUCH, NO_ORDER = "plan.weaker", "plan.too-much-deleted", "plan.no-glitch-free-order"


def there(resource: Resource, number: int = 1) -> Resource:
    """The resource as an account has it."""
    if isinstance(resource, HostnameSettings):
        return resource
    return replace(resource, id=f"id-{number}")


def account(**resources: Resource) -> State:
    """An account with these things, each at the address that its key names: `app a.net`, `ca 1`."""
    return state({name: there(r, n) for n, (name, r) in enumerate(resources.items())})


def state(resources: dict[str, Resource]) -> State:
    return State({_address(r): r for r in resources.values()})


def _address(resource: Resource) -> Address:
    match resource:
        case AccessApplication():
            return app_at(resource.domain)
        case HostnameSettings():
            return Address(Kind.SETTINGS, resource.hostname)
        case _:
            return ca_at(resource.fingerprints[0])  # type: ignore[union-attr]


def plan(actual: State, *declared: Resource, allowed: Allowed = NOTHING) -> Plan:
    return planned("s", SCOPE, state({str(n): r for n, r in enumerate(declared)}), actual, allowed)


def errors(made: Plan) -> list[str]:
    return [d.code.code for d in made.diagnostics if d.is_error]


def found(made: Plan, code: str) -> list[Diagnostic]:
    return [d for d in made.diagnostics if d.code.code == code]


# More kinds of people


@pytest.mark.parametrize(
    ("before", "after", "weaker"),
    [
        (HOLDERS, ANYONE, True),
        (HOLDERS, MAIL, True),
        (HOLDERS, TOKEN, True),
        (MAIL, ANYONE, True),
        (policy("deny", *ANYONE.include), HOLDERS, True),
        (HOLDERS, policy("deny", *ANYONE.include), False),
        (ANYONE, HOLDERS, False),
        (ANYONE, MAIL, False),
        (HOLDERS, HOLDERS, False),
    ],
)
def test_letting_in_more_kinds_of_people_is_refused(
    before: AccessPolicy, after: AccessPolicy, weaker: bool
) -> None:
    """Every step up, whatever the policy is called; a step down and a change at the same step are not."""
    trust = ca("1", "a.net")
    made = plan(account(a=app("a.net", before), c=trust), app("a.net", after), trust)
    assert (WEAKER in errors(made)) is weaker
    assert all(f"--allow-weaken {URL}" in d.fix or "*" in d.fix for d in found(made, WEAKER))


OPENED = account(a=app("a.net"), b=app("b.net"), c=ca("1", "a.net", "b.net"))


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ((), {URL, OTHER_URL}),
        ((URL,), {OTHER_URL}),
        ((OTHER_URL,), {URL}),
        ((URL, OTHER_URL), set()),
        (("https://a.net", "http://a.net/", "https://a.net/x", "https://c.net/", "*", ""), {URL, OTHER_URL}),
    ],
)
def test_a_url_is_opened_by_its_own_name_and_by_no_other(typed: tuple[str, ...], refused: set[str]) -> None:
    """No flag opens all of them, nor any but the one that it names."""
    made = plan(OPENED, app("a.net", ANYONE), app("b.net", ANYONE), ca("1", "a.net", "b.net"),
                allowed=Allowed(weaken=frozenset(typed)))  # fmt: skip
    assert {d.detail.partition(": ")[0] for d in found(made, WEAKER)} == refused


def test_an_application_that_goes_opens_what_it_shut() -> None:
    """Anyone gets in where none stands: its removal is a weakening of its URL, however few things it takes."""
    made = plan(OPENED, app("b.net"), ca("1", "a.net", "b.net"))
    assert {d.detail.partition(": ")[0] for d in found(made, WEAKER)} == {URL}
    allowed = plan(OPENED, app("b.net"), ca("1", "a.net", "b.net"),
                   allowed=Allowed(weaken=frozenset({URL}), delete=1))  # fmt: skip
    assert errors(allowed) == []


# Much of the stack


def many(count: int, *hosts: str) -> State:
    """So many applications of ours, and a CA on their hostnames."""
    apps = {f"a{n}": app(f"a.net/{n}", ANYONE) for n in range(count)}
    return account(**apps, c=ca("1", *hosts))


@pytest.mark.parametrize(
    ("count", "gone", "allowed", "refused"),
    [
        (9, 3, None, False),
        (9, 4, None, True),
        (9, 4, 3, True),
        (9, 4, 4, False),
        (9, 4, 99, False),
        (9, 9, 4, True),
        (1, 1, None, True),
        (9, 0, None, False),
    ],
)
def test_a_plan_that_deletes_much_of_the_stack_says_how_many(
    count: int, gone: int, allowed: int | None, refused: bool
) -> None:
    """More than three of ten, unless the number was typed, or a larger one."""
    kept = [app(f"a.net/{n}", ANYONE) for n in range(gone, count)]
    made = plan(many(count), *kept, ca("1"), allowed=Allowed(delete=allowed))
    assert (TOO_MUCH in errors(made)) is refused
    for diagnostic in found(made, TOO_MUCH):
        assert f"--allow-delete {gone}" in diagnostic.fix


@pytest.mark.parametrize(
    ("after", "bare"),
    [
        ((), ["a.net"]),
        ((ca("2", "a.net"),), []),
        ((ca("2", "b.net"),), ["a.net"]),
        ((ca("1"),), []),
    ],
)
def test_the_last_ca_of_a_hostname_never_goes_without_a_word(
    after: tuple[Resource, ...], bare: list[str]
) -> None:
    """However small its share: its hostname would stand without any; a successor there is no loss."""
    apps = [app(f"b.net/{n}", ANYONE) for n in range(9)]
    actual = account(**{f"a{n}": a for n, a in enumerate(apps)}, c=ca("1", "a.net"))
    made = plan(actual, *apps, *after)
    assert (TOO_MUCH in errors(made)) is bool(bare)
    for diagnostic in found(made, TOO_MUCH):
        assert f"Without any CA afterwards: {', '.join(bare)}." in diagnostic.detail
        assert "--allow-delete 1" in diagnostic.fix


def test_a_rotation_is_no_loss() -> None:
    """However large its share: its hostname passes to the new CA of the same plan."""
    made = plan(account(a=app("a.net"), c=ca("1", "a.net")), app("a.net"), ca("2", "a.net"))
    assert TOO_MUCH not in errors(made)
    assert sorted(c.action.value for c in made.changes) == ["create", "delete"]


def test_a_foreign_ca_on_the_hostname_is_no_loss_either() -> None:
    """The hostname still has one; that its clients get in is told elsewhere."""
    actual = account(c=ca("1", "a.net"), d=ca("2", "a.net", stack=None), e=ca("3"), f=ca("4"), g=ca("5"))
    made = plan(actual, ca("3"), ca("4"), ca("5"))
    assert TOO_MUCH not in errors(made)


def test_what_is_only_put_back_and_what_is_not_ours_is_not_counted() -> None:
    """Settings that are reset take nothing away; others' things make our share no smaller."""
    settings = [HostnameSettings(f"{h}.net", client_certificate_forwarding=True) for h in "abcdef"]
    actual = account(**{f"s{n}": s for n, s in enumerate(settings)}, a=app("a.net", ANYONE))
    made = plan(actual, app("a.net", ANYONE), *(HostnameSettings(s.hostname) for s in settings))
    assert TOO_MUCH not in errors(made)
    strangers = {f"x{n}": app(f"x.net/{n}", ANYONE, stack="other") for n in range(9)}
    made = plan(account(**strangers, a=app("a.net", ANYONE), b=app("b.net", ANYONE)), app("a.net", ANYONE))
    assert TOO_MUCH in errors(made)
    assert "1 of 2 objects" in found(made, TOO_MUCH)[0].detail


def test_a_number_that_was_typed_covers_bare_hostnames_too() -> None:
    """And not one deletion more."""
    actual = account(c=ca("1", "a.net"), d=ca("2", "b.net"))
    for number, refused in ((1, True), (2, False)):
        changes = plan(actual).changes
        assert bool([*deletions(changes, actual, State(), "s", number)]) is refused


# No order


ONE_CA = Allowed(one_ca_per_hostname=True)
ROTATED = account(a=app("a.net"), c=ca("1", "a.net"))


@pytest.mark.parametrize(
    ("typed", "refused"),
    [((), True), (("b.net",), True), (("net", "*", "*.a.net"), True), (("a.net",), False)],
)
def test_a_gap_is_allowed_by_its_own_host_and_by_no_other(typed: tuple[str, ...], refused: bool) -> None:
    """Where a hostname takes one CA only, there is no order without one: named with host and way out."""
    made = plan(ROTATED, app("a.net"), ca("2", "a.net"), allowed=replace(ONE_CA, lockout=frozenset(typed)))
    assert (NO_ORDER in errors(made)) is refused
    assert made.promise.is_kept is not refused
    for diagnostic in found(made, NO_ORDER):
        assert "--allow-lockout a.net" in diagnostic.fix
        assert "one CA only" in diagnostic.detail


def test_a_moment_that_lets_somebody_in_is_never_allowed() -> None:
    """Two changes at once, of which each order lets the wrong ones in or shuts the right ones out: only the second."""
    actual = account(a=app("a.net", HOLDERS, MAIL), c=ca("1", "a.net"), d=ca("2", "b.net"))
    declared = (app("a.net"), ca("1", "a.net"), ca("2", "a.net", "b.net"))
    for lockout in (frozenset[str](), frozenset({"a.net", "b.net"})):
        made = plan(actual, *declared, allowed=Allowed(lockout=lockout))
        assert not [d for d in made.diagnostics if "let in for a moment" in d.detail]


# Healing


@pytest.mark.parametrize(
    ("here", "declared", "weaker"),
    [
        ([app("a.net", HOLDERS)], [app("a.net", HOLDERS), ca("1", "a.net")], False),
        ([app("a.net", HOLDERS)], [app("a.net", HOLDERS), ca("1", "a.net"), ca("2", "a.net")], False),
        ([app("a.net", HOLDERS)], [app("a.net", HOLDERS, HOLDERS), ca("1", "a.net")], True),
        ([app("a.net", policy("deny", *ANYONE.include))], [app("a.net", HOLDERS), ca("1", "a.net")], True),
        ([replace(app("a.net", HOLDERS), name="by hand")], [ca("1", "a.net")], True),
    ],
)
def test_trust_that_somebody_deleted_is_put_back_without_a_word(
    here: list[Resource], declared: list[Resource], weaker: bool
) -> None:
    """The file said so all along; where rules change too, or are not the file's, it is an opening as any other."""
    actual = state({str(n): there(resource, n) for n, resource in enumerate(here)})
    assert bool(found(plan(actual, *declared), WEAKER)) is weaker


WILDCARD = "plan.wildcard-hostname"
WILD = Allowed(wildcard_hostnames=True)


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        ((), ("*.a.net",), True),
        ((), ("a.net", "b*.a.net"), True),
        (("a.net",), ("a.net", "*.a.net"), True),
        (("*.a.net",), ("*.a.net", "*.b.net"), True),
        (("*.a.net",), ("*.a.net", "a.net"), False),
        (("*.a.net",), ("*.a.net",), False),
        (("*.a.net",), ("a.net",), False),
        ((), ("a.net",), False),
    ],
)
def test_a_ca_gets_a_new_wildcard_only_where_the_account_takes_one(
    before: tuple[str, ...], after: tuple[str, ...], is_refused: bool
) -> None:
    """One that stands there already is proof enough; the flag says it of the rest, and is named."""
    actual = state({"1": there(ca("1", *before))}) if before else State()
    made = plan(actual, ca("1", *after))
    assert (WILDCARD in errors(made)) is is_refused
    for found in made.diagnostics:
        if found.code.code == WILDCARD:
            new = {host for host in after if "*" in host} - set(before)
            assert all(host in found.detail for host in new)
            assert "    --wildcard-hostnames" in found.fix
    assert WILDCARD not in errors(plan(actual, ca("1", *after), allowed=WILD))


def test_a_setting_on_a_wildcard_is_refused_alike() -> None:
    """The same API takes the same hostnames."""
    wild = HostnameSettings("*.a.net", True, False)
    assert WILDCARD in errors(plan(State(), wild))
    assert WILDCARD not in errors(plan(State(), wild, allowed=WILD))
    assert WILDCARD not in errors(plan(State(), replace(wild, hostname="a.net")))


@pytest.mark.parametrize(
    ("url", "hosts", "is_judged"),
    [
        ("https://*.a.net/", ("*.a.net",), False),
        ("https://*.a.net/x/*", ("b.net", "*.a.net"), False),
        ("https://*.a.net/", ("a.net",), True),
        ("https://*.b.net/", ("*.a.net",), True),
        ("https://x.a.net/", ("*.a.net",), True),
    ],
)
def test_clients_are_not_judged_where_only_a_wildcard_has_the_ca(
    url: str, hosts: tuple[str, ...], is_judged: bool
) -> None:
    """Said for that URL, on either side of the plan; every other URL is judged as always."""
    target, other = Target(url, "s"), Target("https://b.net/", "s")
    people = People((Client("jean", "jean.pem"),), (target, other), at=datetime(2026, 11, 24, tzinfo=UTC))
    with_ca = State({ca_at("1"): there(ca("1", *hosts))})
    for states in ((with_ca, State()), (State(), with_ca)):
        rest, said = by_wildcard(people, *states)
        assert rest.targets == ((target, other) if is_judged else (other,))
        assert [d.code.code for d in said] == ([] if is_judged else ["plan.wildcard-not-judged"])
        assert all(url in d.detail for d in said)


# Healing


TRUST = ca("1", "a.net")


@pytest.mark.parametrize(
    ("there", "declared", "weaker"),
    [
        (account(a=app("a.net")), (app("a.net"), TRUST), False),
        (account(a=app("a.net"), c=ca("1")), (app("a.net"), TRUST), False),
        (
            account(a=app("a.net", fields={"tags": ["x"]})),
            (app("a.net", fields={"tags": ["y"]}), TRUST),
            True,
        ),
        (account(a=app("a.net", policy("deny", *ANYONE.include))), (app("a.net"), TRUST), True),
        (account(a=app("a.net", stack=None)), (TRUST,), True),
        (account(a=app("a.net"), c=TRUST), (app("a.net"), TRUST, ca("2", "a.net")), False),
    ],
)
def test_putting_a_deleted_ca_back_is_no_weakening(
    there: State, declared: tuple[Resource, ...], weaker: bool
) -> None:
    """Only the trust that is missing below rules of ours that do not change; a foreign application's door is none."""
    assert (WEAKER in errors(plan(there, *declared))) is weaker


@pytest.mark.parametrize("foreign", [False, True])
def test_what_heals_lets_in_only_whom_the_file_declares(foreign: bool) -> None:
    """A CA that is not of the file must not come along under that name; nor anybody but certificate holders."""
    from cf_mtls.access.doors import doorways
    from cf_mtls.planning.gates import weaker

    before = account(a=app("a.net"))
    after = before.put(ca_at("1"), TRUST)
    after = after.put(ca_at("2"), ca("2", "a.net", stack=None)) if foreign else after
    ways = doorways(before, after, {"a.net"})
    ours = {app_at("a.net"), ca_at("1")}
    assert bool([*weaker(ways, (), ours, ())]) is foreign
    assert [*weaker(ways, (), (), ())]
    opened = doorways(before, after.put(app_at("a.net"), there(app("a.net", HOLDERS, MAIL))), {"a.net"})
    assert [*weaker(opened, (), ours, ())]
    held = before.put(ca_at("1"), TRUST)
    wider = doorways(
        held,
        held.put(ca_at("3"), ca("3", "a.net")).put(app_at("a.net"), there(app("a.net", TOKEN))),
        {"a.net"},
    )
    assert [*weaker(wider, (), {*ours, ca_at("3")}, ())]
