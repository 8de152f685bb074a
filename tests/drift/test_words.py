"""What a report tells people to do: `apply` where apply would mend it, and what does where it would not."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from cf_mtls.planning.drift import Class
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.remedies import remedies
from cf_mtls.report.terminal import Paint
from tests.ci.reports import a_finding, a_report, a_stack

REFUSED = "refused"
"""A difference that no apply mends: something else is in the way."""

WATCHED = "watched"
"""A rule that no file holds, to which ours refers, is another."""

FINDINGS: dict[str, dict[str, Any]] = {
    Class.DRIFT.value: a_finding(),
    REFUSED: a_finding(address="application/b.net", action=""),
    WATCHED: a_finding(address="group/g", action=""),
    Class.WEAKENED.value: a_finding("weakened", "application/c.net", action=""),
    Class.UNENFORCED.value: a_finding("unenforced", "proof/https://a.net/ jean", action=""),
    Class.EXPIRING.value: a_finding("expiring", "client/jean", action="", alarm=True),
    Class.PENDING.value: a_finding("pending", "application/d.net", alarm=True),
    Class.UNMANAGED.value: a_finding("unmanaged", "certificate/e", action="", alarm=True),
}
SETS = [names for size in range(4) for names in combinations(FINDINGS, size)]


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_apply_is_named_exactly_where_it_would_mend_something(names: tuple[str, ...]) -> None:
    """Not for what others opened, not where it would be refused; every alarm has something that can be done."""
    stack = a_stack("drift", findings=[FINDINGS[name] for name in names])
    told = list(remedies(stack))
    commands = [command for _, listed in told for command in listed]
    mends = REFUSED not in names and bool({"drift", "pending"} & set(names))
    assert ("cf-mtls apply plans/georgetown.yaml" in commands) is mends
    assert (REFUSED in names) is any("in the way" in sentence for sentence, _ in told)
    assert any("--write-waivers" in command for command in commands) is ("weakened" in names)
    assert len(told) == len(set(names) - ({"drift", "pending"} if REFUSED in names else set()))
    for said in (drift_markdown([stack]), drift_text(a_report(stack), Paint())):
        assert all(sentence in said for sentence, _ in told)
        assert all(f"{command}\n" in f"{said}\n" for command in commands)


def test_what_is_waived_or_informs_needs_nothing() -> None:
    """And a stack that was never applied is mended by applying it; a file's name is one word of a shell."""
    known = [a_finding(alarm=False), a_finding("weakened", alarm=False), a_finding("expiring")]
    assert list(remedies(a_stack("clean", findings=known))) == []
    never = [a_finding(action="create"), a_finding(address="stack/georgetown", action="")]
    ((_, commands),) = remedies(a_stack("drift", findings=never, file="plans/my file.yaml"))
    assert commands == ("cf-mtls plan 'plans/my file.yaml'", "cf-mtls apply 'plans/my file.yaml'")
