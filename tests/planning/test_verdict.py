"""*No changes* is said only where that was decided for the whole file."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from cf_mtls.diagnostics import Exit, Failure, has_errors
from cf_mtls.model.coverage import Part, seen
from cf_mtls.model.plan import NOTHING, Allowed
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge
from cf_mtls.report.plan_text import plan_text, verdict
from cf_mtls.report.terminal import Paint
from cf_mtls.workflow import planned
from tests.planning.worlds import BUDGET, END, GROUP, a_world, an_app, edited

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
APP = an_app(Random(1), "a.net")
AT = Address(Kind.APPLICATION, "a.net")
SETTINGS = Address(Kind.SETTINGS, "a.net")
ON = HostnameSettings("a.net", client_certificate_forwarding=True)
DECLARED = State({AT: APP, SETTINGS: ON})
FOREIGN = replace(APP, name="made by hand", id="1")
OURS = replace(APP, id="1")
READ = seen(Part)


@pytest.mark.parametrize(
    ("actual", "targets", "said"),
    [
        (State({AT: OURS, SETTINGS: ON}), set(), "No changes. Account "),
        (State({AT: FOREIGN, SETTINGS: ON}), set(), "Not decided: "),
        (State({AT: OURS}), {AT}, "Partial: 1 change left out. "),
        (State({AT: OURS}), {SETTINGS}, "Plan: 1 to add, 0 to change, 0 to destroy."),
        (State(), {SETTINGS}, "Plan: 1 to add, 0 to change, 0 to destroy. Partial: 1 change left out."),
    ],
    ids=["as declared", "beside a refusal", "targeted, nothing", "targeted, all", "targeted, some"],
)
def test_the_line_says_what_was_decided(actual: State, targets: set[Address], said: str) -> None:
    """Beside a refusal nothing is claimed, and what --target left out is counted."""
    made = replace(planned("s", SCOPE, DECLARED, actual, Allowed(targets=frozenset(targets))), coverage=READ)
    assert verdict(made).startswith(said)
    assert verdict(made) in plan_text(made, Paint(), END[0])


def test_no_changes_is_said_exactly_when_nothing_differs_and_nothing_was_left_undecided() -> None:
    """Of random accounts, files and targets: the claim, against a comparison of the two states."""
    claims = 0
    for seed in range(300 * BUDGET):
        random = Random(seed)
        actual = a_world(random)
        declared = edited(random, actual, random.choice((0, 0, 1, 2))).put(GROUP, None)
        actual = State((a, _foreign(random, r)) for a, r in actual.items())
        differing = diff(actual, merge(declared, actual, "s").desired)
        some = {c.address for c in differing if random.random() < 0.5} | set(list(declared)[:1])
        made = planned("s", SCOPE, declared, actual, Allowed(targets=frozenset(some if seed % 2 else ())))
        assert not verdict(made).startswith("No changes."), f"seed {seed}: nothing was read"
        made = replace(made, coverage=READ)
        claimed = verdict(made).startswith("No changes.")
        assert claimed == (not differing and not has_errors(made.diagnostics)), f"seed {seed}"
        claims += claimed
    assert claims > 20


def _foreign(random: Random, resource: object) -> object:
    return replace(resource, name="x") if hasattr(resource, "domains") and random.random() < 0.1 else resource  # type: ignore[type-var]


@pytest.mark.parametrize("targeted", [{"application/b.net"}, {"application/a.net", "settings/c.net"}])
def test_a_target_that_is_nothing_of_the_file_is_a_usage_error(targeted: set[str]) -> None:
    """64, with the address; a declared one without a change is none."""
    wanted = frozenset(Address(Kind(kind), key) for kind, _, key in (t.partition("/") for t in targeted))
    with pytest.raises(Failure) as caught:
        planned("s", SCOPE, DECLARED, State(), Allowed(targets=wanted))
    assert caught.value.exit_code is Exit.USAGE
    assert [d.code.code for d in caught.value.diagnostics] == ["plan.no-such-target"]
    planned("s", SCOPE, DECLARED, State({AT: OURS}), Allowed(targets=frozenset({AT})))
    assert NOTHING.targets == frozenset()
