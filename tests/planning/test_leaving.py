"""What leaves: pinned things and settings when all goes, ids that the file lists as removed; whose settings are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import Place, has_errors
from cf_mtls.model.marks import application_name
from cf_mtls.model.plan import Action, Removed
from cf_mtls.model.resources import (
    AccessApplication,
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
from cf_mtls.planning.diff import diff
from cf_mtls.planning.host_settings import Declaring, differing
from cf_mtls.planning.ownership import Merged, merge

END = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = AccessPolicy("p", "non_identity", (Rule("certificate"),))
CA_AT, APP_AT = Address(Kind.CERTIFICATE, "c-1"), Address(Kind.APPLICATION, "a.net")
CA = CaCertificate("by hand", ("a.net",), ("11",), (END,), id="c-1")
APP = AccessApplication("by hand", (public("a.net"),), (POLICY,), id="a-1")
AT = Address(Kind.SETTINGS, "a.net")
ON, OFF = HostnameSettings("a.net", client_certificate_forwarding=True), HostnameSettings("a.net")
OURS = replace(APP, name=application_name("a", "s"), id="a-1")
THEIRS = replace(CA, name=application_name("c", "other"), id="c-2")
THEIRS_AT = Address(Kind.CERTIFICATE, "c-2")


def state(*pairs: tuple[Address, Resource]) -> State:
    return State(pairs)


IMPORTED = state((CA_AT, CA), (APP_AT, APP), (AT, ON))


def declaring(name: str, *settings: HostnameSettings, scope: str = "account:1") -> Declaring:
    at = {Address(Kind.SETTINGS, one.hostname): one for one in settings}
    return Declaring(name, scope, at, {a: Place(name, 3, 5) for a in at})


CHINA = HostnameSettings("a.net", china_network=True)
ELSEWHERE = HostnameSettings("b.net", client_certificate_forwarding=True)


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ([declaring("a.yaml", ON), declaring("b.yaml", OFF)], {*"ab"}),
        (
            [declaring("a.yaml", ON), declaring("b.yaml", CHINA), declaring("c.yaml", ON)],
            {*"abc"},
        ),
        ([declaring("a.yaml", ON), declaring("b.yaml", ON)], set()),
        ([declaring("a.yaml", ON), declaring("b.yaml")], set()),
        ([declaring("a.yaml", ON), declaring("b.yaml", ELSEWHERE)], set()),
        ([declaring("a.yaml", ON), declaring("b.yaml", OFF, scope="zone:1")], set()),
        (
            [declaring("a.yaml", ON, ELSEWHERE), declaring("b.yaml", ELSEWHERE), declaring("c.yaml", OFF)],
            {*"ac"},
        ),
    ],
)
def test_files_of_one_call_say_the_same_of_a_hostname(files: list[Declaring], refused: set[str]) -> None:
    """Whoever differs from another is refused, each at its own place and with every place; the same may stand twice."""
    found = differing(files)
    assert {name.partition(".")[0] for name in found} == refused
    for path, (problem,) in found.items():
        assert problem.place == Place(path, 3, 5)
        assert all(f"{name}.yaml:3:5" in problem.detail for name in refused)


def gone(actual: State, merged: Merged) -> set[str]:
    changes = diff(actual, merged.desired)
    assert {c.action for c in changes} <= {Action.DELETE}
    return {str(change.address) for change in changes}


# All of it


def test_destroy_takes_what_the_file_pins_and_the_settings_that_it_declares() -> None:
    """An imported stack carries no mark; its ids say what is meant. Nothing else goes, and nothing is made."""
    stranger = (Address(Kind.APPLICATION, "b.net"), replace(APP, destinations=(public("b.net"),), id="a-9"))
    actual = State({**IMPORTED, **state(stranger)})
    assert gone(actual, merge(IMPORTED, actual, "s", destroy=True)) == {
        "certificate/c-1", "application/a.net", "settings/a.net",
    }  # fmt: skip
    new = state((Address(Kind.APPLICATION, "n.net"), replace(OURS, destinations=(public("n.net"),), id=None)))
    assert diff(actual, merge(new, actual, "s", destroy=True).desired) == ()


@pytest.mark.parametrize("thing", [replace(APP, id="a-2"), replace(APP, elsewhere="zone:1")])
def test_destroy_takes_nothing_that_is_not_the_pinned_thing_itself(thing: AccessApplication) -> None:
    """Another id on the declared domain, or the same thing in another scope: foreign, and it stays."""
    actual = state((APP_AT, thing))
    assert gone(actual, merge(state((APP_AT, APP)), actual, "s", destroy=True)) == set()


@pytest.mark.parametrize(
    ("beside", "there", "goes"),
    [
        ((APP_AT, OURS), ON, True),
        ((APP_AT, OURS), HostnameSettings("a.net", china_network=True), True),
        ((THEIRS_AT, THEIRS), ON, False),
        ((THEIRS_AT, THEIRS), HostnameSettings("a.net", china_network=True), False),
    ],
)
def test_destroy_resets_declared_settings_that_nobody_else_may_rest_on(
    beside: tuple[Address, Resource], there: HostnameSettings, goes: bool
) -> None:
    """Where things of another stack stand its file may declare them too: they stay, and that is said."""
    actual = state(beside, (AT, there))
    merged = merge(state((AT, ON)), actual, "s", destroy=True)
    assert ("settings/a.net" in gone(actual, merged)) is goes
    assert [d.code.code for d in merged.diagnostics] == ([] if goes else ["settings.staying"])


# Ids in removed


@pytest.mark.parametrize("address", [CA_AT, APP_AT])
def test_a_removed_id_goes_and_nothing_else(address: Address) -> None:
    """Imported things carry no mark, so the file says which goes; it is deleted as any other."""
    target = IMPORTED[address]
    assert not isinstance(target, HostnameSettings)
    declared = IMPORTED.put(address, None)
    assert gone(IMPORTED, merge(declared, IMPORTED, "s")) == set()
    removed = (Removed(target.id or "", destroy=True),)
    assert gone(IMPORTED, merge(declared, IMPORTED, "s", removed=removed)) == {str(address)}


def test_a_forgotten_id_stays_also_with_our_mark() -> None:
    """destroy: false takes a thing out of management: not deleted, not changed, as long as the entry stands."""
    actual = state((APP_AT, OURS))
    assert gone(actual, merge(State(), actual, "s")) == {"application/a.net"}
    removed = (Removed("a-1", destroy=False),)
    for destroy in (False, True):
        assert gone(actual, merge(State(), actual, "s", removed=removed, destroy=destroy)) == set()


def test_removed_ids_go_with_all_of_it_too() -> None:
    """Destroy takes what the file lists as removed as well."""
    removed = (Removed("c-1", destroy=True),)
    assert gone(IMPORTED, merge(State(), IMPORTED, "s", removed=removed, destroy=True)) == {"certificate/c-1"}


@pytest.mark.parametrize(
    ("thing", "code", "is_error"),
    [
        (None, "removed.absent", False),
        (replace(CA, elsewhere="zone:1"), "removed.elsewhere", True),
        (replace(CA, name=application_name("c", "other")), "removed.other-stack", True),
    ],
)
def test_a_removed_id_that_cannot_go_is_said(thing: Resource | None, code: str, is_error: bool) -> None:
    """Gone already; of another scope; marked by another stack: that stack's own file says what becomes of it."""
    actual = State().put(CA_AT, thing)
    merged = merge(State(), actual, "s", removed=(Removed("c-1", destroy=True),))
    assert [d.code.code for d in merged.diagnostics] == [code]
    assert has_errors(merged.diagnostics) is is_error
    assert gone(actual, merged) == set()


def test_of_a_forgotten_id_that_is_gone_nothing_is_said() -> None:
    """It was to be left alone, and there is nothing to leave alone."""
    assert merge(State(), State(), "s", removed=(Removed("c-1", destroy=False),)).diagnostics == ()


# Whose settings


@pytest.mark.parametrize(
    ("beside", "there", "wanted", "code"),
    [
        ((), ON, OFF, "settings.foreign"),
        ((), ON, HostnameSettings("a.net", china_network=True), "settings.foreign"),
        ((), ON, ON, None),
        (((APP_AT, OURS),), ON, OFF, None),
        (((CA_AT, replace(CA, name=application_name("c", "s"))),), ON, OFF, None),
        (((APP_AT, replace(OURS, destinations=(public("*.net"),))),), ON, OFF, None),
        (((APP_AT, replace(OURS, destinations=(public("b.net"),))),), ON, OFF, "settings.foreign"),
        (((APP_AT, replace(OURS, elsewhere="zone:1")),), ON, OFF, "settings.foreign"),
        (((THEIRS_AT, THEIRS),), ON, OFF, "settings.foreign"),
        (((APP_AT, OURS), (THEIRS_AT, THEIRS)), ON, OFF, "settings.shared"),
        (((APP_AT, OURS), (THEIRS_AT, THEIRS)), ON, ON, None),
    ],
)
def test_settings_are_ours_only_where_ours_alone_stands(
    beside: tuple[tuple[Address, Resource], ...],
    there: HostnameSettings,
    wanted: HostnameSettings,
    code: str | None,
) -> None:
    """They carry no mark. Where nothing of ours stands they are somebody's; where another stack stands too, shared."""
    actual = state((AT, there), *beside)
    declared = state((AT, wanted), *(pair for pair in beside if pair[1] == OURS))
    merged = merge(State(declared), actual, "s")
    assert [d.code.code for d in merged.diagnostics if d.is_error] == ([code] if code else [])
    kept = merged.desired.get(AT)
    assert (kept == there) is (code is not None or wanted == there)
    if code:
        assert "--adopt settings/a.net" in merged.diagnostics[0].fix
        adopted = merge(State(declared), actual, "s", adopt={AT})
        assert not adopted.diagnostics
        assert adopted.desired.get(AT) == (None if wanted == OFF else wanted)


def test_settings_of_a_pinned_thing_are_ours() -> None:
    """What import brought stands there, so its settings follow the file."""
    declared = IMPORTED.put(AT, OFF)
    assert not has_errors(merge(declared, IMPORTED, "s").diagnostics)


@pytest.mark.parametrize(
    ("beside", "is_told"), [((APP_AT, OURS), True), ((APP_AT, APP), False), ((THEIRS_AT, THEIRS), False)]
)
def test_settings_that_no_file_declares_are_told_where_ours_stands(
    beside: tuple[Address, Resource], is_told: bool
) -> None:
    """On a hostname of this stack, with what puts them back; that is then done. Elsewhere nothing is said."""
    actual = state((AT, ON), beside)
    declared = state(*(pair for pair in (beside,) if pair[1] is OURS))
    merged = merge(declared, actual, "s")
    assert merged.unmanaged == ((AT,) if is_told else ())
    assert [d.code.code for d in merged.diagnostics] == (["settings.unmanaged"] if is_told else [])
    assert merged.desired.get(AT) == ON
    if is_told:
        assert "--adopt settings/a.net" in merged.diagnostics[0].fix
        assert AT not in merge(declared, actual, "s", adopt={AT}).desired
