"""Nobody else's things are touched: by mark, by pin and by scope, in merge and in the whole plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Scope,
)
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import is_ours, merge
from cf_mtls.workflow import Allowed, planned
from tests.planning.things import ANYONE, app, app_at, ca, ca_at, policy, rule

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
ZONE = "zone:" + "f" * 32
APP = replace(app("a.net"), id="1")
CA = replace(ca("1", "a.net"), id="2")
THINGS: list[tuple[Address, AccessApplication | CaCertificate]] = [(app_at("a.net"), APP), (ca_at("1"), CA)]


def actions(actual: State, declared: State, *adopt: Address) -> tuple[list[Action], list[str]]:
    """What would be done, and the codes of what is refused."""
    made = planned("s", SCOPE, declared, actual, Allowed(adopt=frozenset(adopt), delete=9))
    return [c.action for c in made.changes], [
        d.code.code for d in made.diagnostics if d.code.code.startswith("ownership.")
    ]


@pytest.mark.parametrize(("address", "thing"), THINGS)
@pytest.mark.parametrize(
    ("name", "elsewhere", "ours"),
    [
        ("x (cf-mtls s)", None, True),
        ("x (cf-mtls s)", ZONE, False),
        ("x (cf-mtls other)", None, False),
        ("x (cf-mtls s) ", None, False),
        ("x (cf-mtls s2)", None, False),
        ("x", None, False),
    ],
)
def test_ours_is_what_carries_our_mark_in_our_own_scope(
    address: Address, thing: AccessApplication | CaCertificate, name: str, elsewhere: str | None, ours: bool
) -> None:
    """What is ours and no longer declared goes; everything else stays, and is never a change."""
    found = replace(thing, name=name, elsewhere=elsewhere)
    assert is_ours(found, "s") is ours
    actual = State({address: found})
    assert [c.action for c in diff(actual, merge(State(), actual, "s").desired)] == (
        [Action.DELETE] if ours else []
    )


def test_policies_groups_and_settings_are_never_ours_by_a_name() -> None:
    """They are read, or belong to whoever declares them: nothing of them is deleted."""
    shared = replace(policy("bypass"), name="x (cf-mtls s)", id="p", reusable=True)
    actual = State({Address(Kind.POLICY, "p"): shared})
    assert not is_ours(shared, "s")
    assert actions(actual, State()) == ([], [])


@pytest.mark.parametrize("name", ["by hand", "x (cf-mtls other)"])
@pytest.mark.parametrize("adopted", [False, True])
def test_what_stands_in_our_place_is_taken_over_only_when_it_is_named(name: str, adopted: bool) -> None:
    """A domain is one application's: without --adopt refused, with it changed in place, never made beside it."""
    actual = State({app_at("a.net"): replace(APP, name=name)})
    adopt = [app_at("a.net")] if adopted else [app_at("b.net"), ca_at("a.net")]
    found = actions(actual, State({app_at("a.net"): app("a.net", ANYONE)}), *adopt)
    assert found == (([Action.UPDATE], []) if adopted else ([], ["ownership.foreign"]))


@pytest.mark.parametrize("name", ["by hand", "x (cf-mtls other)", APP.name])
def test_nothing_is_taken_over_from_another_scope(name: str) -> None:
    """Named or not: it lives there, and this plan does not manage it; the way out says where."""
    actual = State({app_at("a.net"): replace(APP, name=name, elsewhere=ZONE)})
    for adopt in ([], [app_at("a.net")]):
        made = planned(
            "s", SCOPE, State({app_at("a.net"): app("a.net")}), actual, Allowed(adopt=frozenset(adopt))
        )
        assert made.changes == ()
        (refused,) = (d for d in made.diagnostics if d.code.code == "ownership.foreign")
        assert ZONE in refused.detail
        assert "zone_id" in refused.fix


def test_a_pin_reaches_into_no_other_scope() -> None:
    """An id that only another scope knows is not managed from here."""
    actual = State({app_at("a.net"): replace(APP, elsewhere=ZONE)})
    changed, refused = actions(actual, State({app_at("a.net"): replace(app("a.net", ANYONE), id="1")}))
    assert changed == []
    assert refused


@pytest.mark.parametrize(("pinned", "found"), [("1", []), ("9", ["ownership.pin-absent"])])
def test_a_pin_manages_the_very_object_that_it_names(pinned: str, found: list[str]) -> None:
    """Whatever its name, which it keeps; an id that is not there is an error and makes nothing anew."""
    actual = State({app_at("a.net"): replace(APP, name="by hand")})
    declared = State({app_at("a.net"): replace(app("a.net", ANYONE), id=pinned)})
    changed, refused = actions(actual, declared)
    assert set(refused) >= set(found)
    assert changed == ([Action.UPDATE] if pinned == "1" else [])
    if pinned == "1":
        assert [c.attributes for c in planned("s", SCOPE, declared, actual, Allowed()).changes] == [
            ("policies",)
        ]


def test_a_reference_to_a_policy_that_is_not_there_is_an_error() -> None:
    """Its rules would be nobody's."""
    link = AccessPolicy("", "", (), id="gone", reusable=True)
    _, refused = actions(State(), State({app_at("a.net"): app("a.net", link)}))
    assert refused == ["ownership.policy-absent"]
    known = replace(policy("allow", rule("email", email="a@x.net")), id="gone", reusable=True)
    assert actions(State({Address(Kind.POLICY, "gone"): known}), State({app_at("a.net"): app("a.net", link)})) == (
        [Action.CREATE], []
    )  # fmt: skip


def test_what_a_file_cannot_say_of_a_destination_stays() -> None:
    """A private one, or a worker's: the file declares public ones, and the others are the account's."""
    private = freeze_object({"type": "private", "cidr": "10.0.0.0/8"})
    actual = State({app_at("a.net"): replace(APP, destinations=(*APP.destinations, private))})
    (after,) = (r for _, r in merge(State({app_at("a.net"): app("a.net")}), actual, "s").desired.items())
    assert isinstance(after, AccessApplication)
    assert private in after.destinations


def test_two_stacks_never_take_each_others_things() -> None:
    """Each plans the end of its own alone."""
    actual = State({app_at("a.net"): APP, app_at("b.net"): replace(app("b.net", stack="other"), id="3")})
    for stack, gone in (("s", app_at("a.net")), ("other", app_at("b.net")), ("third", None)):
        changes = planned(stack, SCOPE, State(), actual, Allowed(delete=9)).changes
        assert [c.address for c in changes] == ([gone] if gone else [])


SET_AT = Address(Kind.SETTINGS, "a.net")
ON, CHINA = (
    HostnameSettings("a.net", client_certificate_forwarding=True),
    HostnameSettings("a.net", china_network=True),
)
OTHERS = replace(app("a.net/o", stack="other"), id="7")
FAR = HostnameSettings("far.net", china_network=True)


def settings(there: HostnameSettings | None, wanted: HostnameSettings | None, *stands: object, adopt: bool = False,
             destroy: bool = False) -> tuple[list[str], list[str]]:  # fmt: skip
    """What is done to settings on a.net (`set`, `reset`), and the codes of what is said of settings."""
    found: dict[Address, object] = {app_at(t.domain): t for t in stands if isinstance(t, AccessApplication)}
    declared = {
        a: replace(t, id=None)
        for a, t in found.items()
        if isinstance(t, AccessApplication) and is_ours(t, "s")
    }
    actual = State({**found, **({SET_AT: there} if there else {}), Address(Kind.SETTINGS, "far.net"): FAR})  # type: ignore[dict-item]
    merged = merge(State({**declared, **({SET_AT: wanted} if wanted else {})}), actual, "s",
                   [SET_AT] if adopt else [], destroy=destroy)  # fmt: skip
    done = [c for c in diff(actual, merged.desired) if c.address.kind is Kind.SETTINGS]
    words = ["reset" if c.after is None else "set" for c in done]
    return words, [d.code.code for d in merged.diagnostics if d.code.code.startswith("settings.")]


@pytest.mark.parametrize(
    ("there", "wanted", "stands", "found"),
    [
        (None, ON, (), (["set"], [])),
        (ON, ON, (), ([], [])),
        (ON, CHINA, (APP,), (["set"], [])),
        (ON, CHINA, (), ([], ["settings.foreign"])),
        (ON, CHINA, (OTHERS,), ([], ["settings.foreign"])),
        (ON, CHINA, (APP, OTHERS), ([], ["settings.shared"])),
        (ON, ON, (APP, OTHERS), ([], [])),
        (ON, None, (APP,), ([], ["settings.unmanaged"])),
        (ON, None, (), ([], [])),
        (ON, None, (OTHERS,), ([], [])),
    ],
)
def test_settings_are_changed_only_where_nobody_elses_things_stand(
    there: HostnameSettings | None, wanted: HostnameSettings | None, stands: tuple[object, ...],
    found: tuple[list[str], list[str]],
) -> None:  # fmt: skip
    """They carry no mark: ours stands there and no other stack's, or they are so already; else it is said."""
    assert settings(there, wanted, *stands) == found


@pytest.mark.parametrize(
    ("wanted", "stands", "done"),
    [
        (CHINA, (), ["set"]),
        (CHINA, (APP, OTHERS), ["set"]),
        (None, (APP,), ["reset"]),
        (None, (), []),
    ],
)
def test_settings_that_were_typed_out_are_taken_over(
    wanted: HostnameSettings | None, stands: tuple[object, ...], done: list[str]
) -> None:
    """What the file says, or where it says nothing and something of ours stands there, the default."""
    assert settings(ON, wanted, *stands, adopt=True)[0] == done


@pytest.mark.parametrize(
    ("wanted", "stands", "adopt", "done"),
    [
        (ON, (APP,), False, ["reset"]),
        (CHINA, (APP,), False, ["reset"]),
        (ON, (), False, ["reset"]),
        (CHINA, (), False, []),
        (ON, (APP, OTHERS), False, []),
        (ON, (APP, OTHERS), True, ["reset"]),
        (None, (APP,), False, []),
    ],
)
def test_the_end_of_a_stack_puts_back_the_settings_that_were_its_own(
    wanted: HostnameSettings | None, stands: tuple[object, ...], adopt: bool, done: list[str]
) -> None:
    """Declared, and nobody else's things rest on them; far ones are never touched."""
    assert settings(ON, wanted, *stands, adopt=adopt, destroy=True)[0] == done


@pytest.mark.parametrize(
    ("there", "goes"),
    [
        (APP, True),
        (replace(APP, name="by hand"), False),
        (OTHERS, False),
        (replace(APP, elsewhere=ZONE), False),
    ],
)
def test_the_end_of_a_stack_takes_what_is_ours_and_nothing_else(there: AccessApplication, goes: bool) -> None:
    """By mark, in this scope."""
    actual = State({app_at(there.domain): there})
    assert bool(diff(actual, merge(State(), actual, "s", destroy=True).desired)) is goes


def test_the_end_of_a_stack_takes_what_the_file_pins() -> None:
    """Imported things carry no mark: the id in the file says that they are ours."""
    actual = State(
        {
            app_at("a.net"): replace(APP, name="by hand"),
            app_at("b.net"): replace(app("b.net", stack=None), id="8"),
        }
    )
    pinned = State({app_at("a.net"): replace(app("a.net"), id="1")})
    changes = diff(actual, merge(pinned, actual, "s", destroy=True).desired)
    assert [c.address for c in changes] == [app_at("a.net")]


def test_what_a_destination_says_beside_its_place_is_kept_and_its_overrides_are_the_files() -> None:
    """An unknown member of a public destination is the account's; a path made public there is not."""
    there = freeze_object({"type": "public", "uri": "a.net", "l4": 1, "overrides": [{"behavior": "public"}]})
    actual = State({app_at("a.net"): replace(APP, destinations=(there,))})
    (after,) = (r for _, r in merge(State({app_at("a.net"): app("a.net")}), actual, "s").desired.items())
    assert isinstance(after, AccessApplication)
    assert dict(after.destinations[0]) == {"l4": 1, "type": "public", "uri": "a.net"}
