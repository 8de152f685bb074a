"""A saved plan is stale as soon as anything moved that it rests on: ours, foreign, groups and policies on its hosts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Action, Change
from cf_mtls.model.resources import AccessGroup, Address, Kind, Resource, Rule, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Progress, Saved
from cf_mtls.workflow import Allowed, again, planned
from tests.planning.things import ANYONE, CERTIFICATE, app, app_at, ca, ca_at, policy, rule

NOW = datetime.now(UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
GROUP = Address(Kind.GROUP, "g")
STAFF = AccessGroup("staff", (rule("email", email="a@x.net"), rule("group", id="inner")), (), (), "g")
BY_GROUP = policy("non_identity", CERTIFICATE, require=(rule("group", id="g"),))
INNER, DEEP, THEIRS = (Address(Kind.GROUP, name) for name in ("inner", "deep", "theirs"))
SHARED, THEIR_POLICY = Address(Kind.POLICY, "p"), Address(Kind.POLICY, "q")
PLAIN_GROUP = AccessGroup("inner", (rule("email", email="b@x.net"),), (), (), "inner")
REUSABLE = replace(
    policy("non_identity", CERTIFICATE, require=(rule("group", id="deep"),)), id="p", reusable=True
)
THEIRS_BY_ID = replace(
    policy("non_identity", CERTIFICATE, exclude=(rule("group", id="theirs"),)), id="q", reusable=True
)
OURS = replace(app("a.net"), id="1")
FOREIGN_APP = replace(app("a.net/theirs", THEIRS_BY_ID, stack=None), id="2")
OWN = replace(app("own.net", REUSABLE), id="10")
DEFAULTS = freeze_object({"session_duration": "24h", "tags": []})
FOREIGN_CA = replace(ca("9", "a.net", stack=None), id="3")
ACTUAL = State(
    {
        app_at("a.net"): OURS,
        ca_at("1"): replace(ca("1", "a.net"), id="4"),
        app_at("a.net/theirs"): FOREIGN_APP,
        ca_at("9"): FOREIGN_CA,
        GROUP: STAFF,
        INNER: PLAIN_GROUP,
        DEEP: replace(PLAIN_GROUP, id="deep"),
        THEIRS: replace(PLAIN_GROUP, id="theirs"),
        SHARED: REUSABLE,
        THEIR_POLICY: THEIRS_BY_ID,
        app_at("own.net"): OWN,
        app_at("far.net"): replace(app("far.net", stack=None), id="5"),
        ca_at("8"): replace(ca("8", "far.net", stack=None), id="6"),
    }
)


def saved() -> Saved:
    """A plan that changes the application on a.net, as it is saved."""
    own = app_at("own.net")
    declared = State(
        {
            app_at("a.net"): app("a.net", BY_GROUP),
            ca_at("1"): ca("1", "a.net"),
            own: app("own.net", replace(REUSABLE, name="", decision="", include=(), require=())),
        }
    )
    made = planned("s", SCOPE, declared, ACTUAL, Allowed(weaken=frozenset({"https://a.net/"})))
    assert not [d for d in made.diagnostics if d.is_error]
    assert [c.address for c in made.changes] == [app_at("a.net")]
    return saved_of(made)


MOVES: list[tuple[str, Address, Resource | None, str]] = [
    ("ours was changed", app_at("a.net"), replace(OURS, policies=(ANYONE,)), "changed"),
    ("ours on another host was opened", app_at("own.net"), replace(OWN, policies=(ANYONE,)), "changed"),
    ("ours is gone", ca_at("1"), None, "is gone"),
    ("a foreign application was opened", app_at("a.net/theirs"), replace(FOREIGN_APP, policies=(ANYONE,)), "changed"),
    ("a foreign application is gone", app_at("a.net/theirs"), None, "is gone"),
    ("a foreign application appeared", app_at("a.net/new"), replace(app("a.net/new", ANYONE, stack=None), id="7"),
     "appeared"),
    ("a foreign CA left the host", ca_at("9"), replace(FOREIGN_CA, associated_hostnames=()), "is gone"),
    ("a foreign CA joined the host", ca_at("8"), replace(ca("8", "far.net", "a.net", stack=None), id="6"), "appeared"),
    ("a foreign CA was replaced", ca_at("9"), replace(FOREIGN_CA, id="other"), "changed"),
    ("a group was opened", GROUP, replace(STAFF, include=(Rule("everyone"),)), "changed"),
    ("a group's requirement went", GROUP, replace(STAFF, require=(Rule("certificate"),)), "changed"),
    ("a group is gone", GROUP, None, "is gone"),
    ("a group within a group was opened", INNER, replace(PLAIN_GROUP, include=(Rule("everyone"),)), "changed"),
    ("a reusable policy of ours was opened", SHARED, replace(REUSABLE, decision="bypass"), "changed"),
    ("a requirement of a reusable policy of ours went", SHARED, replace(REUSABLE, require=()), "changed"),
    ("a group of a reusable policy of ours was opened", DEEP,
     replace(PLAIN_GROUP, id="deep", include=(Rule("everyone"),)), "changed"),
    ("a reusable policy of a foreign application was opened", THEIR_POLICY,
     replace(THEIRS_BY_ID, include=(Rule("everyone"),)), "changed"),
    ("a group of a foreign application's reusable policy moved", THEIRS,
     replace(PLAIN_GROUP, id="theirs", include=(Rule("certificate"),)), "changed"),
    ("a wildcard covers the host now", app_at("*.net"), replace(app("*.net", ANYONE, stack=None), id="8"), "appeared"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "now", "said"), [m[1:] for m in MOVES], ids=[m[0] for m in MOVES])
def test_a_plan_is_stale_when_something_it_rests_on_moved(
    address: Address, now: Resource | None, said: str
) -> None:
    """Refused, exit 4, with the address and what became of it."""
    with pytest.raises(Failure) as caught:
        again(saved(), ACTUAL.put(address, now), NOW, is_approved=True)
    assert caught.value.exit_code is Exit.REFUSED
    (found,) = caught.value.diagnostics
    assert found.code.code == "plan.stale"
    assert f"{address} {said}" in found.detail


STAYS: list[tuple[str, Address, Resource | None]] = [
    ("nothing", app_at("a.net"), OURS),
    ("an application of another host", app_at("far.net"), None),
    ("a CA of another host", ca_at("8"), None),
    ("a default that the server filled in", app_at("a.net/theirs"), replace(FOREIGN_APP, fields=DEFAULTS)),
]


@pytest.mark.parametrize(("address", "now"), [m[1:] for m in STAYS], ids=[m[0] for m in STAYS])
def test_a_plan_is_not_stale_for_what_it_does_not_rest_on(address: Address, now: Resource | None) -> None:
    """Other hosts are other people's business, and the same in other words is the same."""
    assert again(saved(), ACTUAL.put(address, now), NOW, is_approved=True).changes


def test_a_run_continues_only_what_is_left_of_the_plan_itself() -> None:
    """What moved must be the plan's own work, and what is left to do a part of it."""
    plan = saved()
    (step,) = plan.steps
    progress = Progress(plan, ACTUAL.put(step.address, step.value))
    far = app_at("far.net")
    other = Change(far, Action.DELETE, ACTUAL[far], None, ("name",))
    assert progress.holds([step.address], [])
    assert not progress.holds([step.address], [other])
    assert not progress.holds([ca_at("9")], [])
