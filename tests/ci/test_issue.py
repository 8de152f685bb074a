"""One issue a stack: the whole state machine against a small GitHub on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from cf_mtls.ci.comment import of_text, upsert
from cf_mtls.ci.github import GitHub
from cf_mtls.ci.issue import Mark, Run, mark_of, sync
from cf_mtls.report.drift_data import key_of
from tests.ci.fake_github import BOT, TOKEN, FakeGitHub, serving
from tests.ci.reports import FILE, SCOPE, a_finding, a_stack

RUN = Run("2026-11-24T08:00:00Z", "https://github.example/o/r/actions/runs/1", BOT, ("cf-mtls", "drift"))
KEY = key_of(FILE, SCOPE)
FIRST = "2026-11-20T05:23:00Z"
GET = [("GET", "/repos/o/r/issues")]
PATCH, COMMENT = ("PATCH", "/repos/o/r/issues/1"), ("POST", "/repos/o/r/issues/1/comments")


def synced(fake: FakeGitHub, *stacks: dict[str, Any], most_new: int = 10) -> list[str]:
    with GitHub(TOKEN, fake.url, "o/r") as github:
        return sync(github, stacks, RUN, most_new)


TABLE = [
    # state, issue, same fingerprint: the writes, the issue's state afterwards, comments
    ("drift", None, False, [("POST", "/repos/o/r/issues")], "open", 0),
    ("drift", "open", False, [PATCH, COMMENT], "open", 1),
    ("drift", "open", True, [PATCH], "open", 0),
    ("drift", "closed", False, [PATCH, PATCH, COMMENT], "open", 1),
    ("drift", "closed", True, [PATCH, PATCH], "open", 0),
    ("clean", None, False, [], None, 0),
    ("clean", "open", False, [COMMENT, PATCH], "closed", 1),
    ("clean", "closed", False, [], "closed", 0),
    ("error", None, False, [], None, 0),
    ("error", "open", False, [], "open", 0),
    ("error", "open", True, [], "open", 0),
    ("error", "closed", False, [], "closed", 0),
]


@pytest.mark.parametrize(("status", "issue", "same", "writes", "after", "comments"), TABLE)
def test_each_state_does_what_the_table_says(
    status: str, issue: str | None, same: bool, writes: list[Any], after: str | None, comments: int
) -> None:
    """Twelve situations: the exact writes, the state afterwards, and a comment only when something changed."""
    with serving() as fake:
        if issue:
            fake.add(f"{Mark(KEY, ('a' if same else 'b') * 64, FIRST)}\nold", state=issue)
        synced(fake, a_stack(status))
        assert fake.seen == GET + writes
        assert (fake.issues[1]["state"] if fake.issues else None) == after
        assert len(fake.comments.get(1, [])) == comments


def test_a_month_of_checks_makes_one_issue_and_three_comments() -> None:
    """Drift, the same again, an error, other drift, clean, back again, clean: one issue, no spam."""
    with serving() as fake:
        for status, fp in [("drift", "a")] * 9 + [("error", "")] * 3 + [("drift", "b")] * 5 + [("clean", "")] * 5 + [
            ("drift", "b"), ("drift", "b"), ("clean", ""),
        ]:  # fmt: skip
            synced(fake, a_stack(status, fp or "a"))
        assert len(fake.issues) == 1
        assert [c["body"].split()[0] for c in fake.comments[1]] == ["What", "Resolved:", "Resolved:"]
        assert fake.issues[1]["labels"] == ["cf-mtls", "drift"]


def test_first_seen_stays_while_the_issue_is_open() -> None:
    """An update keeps the day; a reopened issue begins anew."""
    with serving() as fake:
        fake.add(f"{Mark(KEY, 'b' * 64, FIRST)}\nold")
        synced(fake, a_stack())
        mark = mark_of(fake.issues[1]["body"])
        assert mark == Mark(KEY, "a" * 64, FIRST)
        fake.issues[1]["state"] = "closed"
        synced(fake, a_stack())
        again = mark_of(fake.issues[1]["body"])
        assert again == Mark(KEY, "a" * 64, RUN.at)


@pytest.mark.parametrize("author", ["mallory", "dependabot[bot]", ""])
def test_a_marker_that_somebody_else_wrote_is_only_text(author: str) -> None:
    """An issue with our marker by another author is neither edited nor closed."""
    with serving() as fake:
        fake.add(f"{Mark(KEY, 'a' * 64, FIRST)}\nhello", author=author)
        synced(fake, a_stack("clean"))
        synced(fake, a_stack())
        assert fake.issues[1]["body"].endswith("hello")
        assert len(fake.issues) == 2


def test_a_marker_below_the_first_line_is_only_text() -> None:
    """What an account's names put into a body is never read as a marker."""
    assert mark_of(f"x\n{Mark(KEY, 'a' * 64, FIRST)}") is None
    assert mark_of(f"x {Mark(KEY, 'a' * 64, FIRST)}") is None


def test_each_stack_has_its_own_issue_and_errors_hide_none() -> None:
    """Three stacks, one broken: two issues are made, the broken one's stays as it is."""
    with serving() as fake:
        stacks = [
            a_stack(file=f"plans/{n}.yaml", status=s)
            for n, s in (("a", "drift"), ("b", "error"), ("c", "drift"))
        ]
        synced(fake, *stacks)
        assert len(fake.issues) == 2
        synced(fake, *stacks)
        assert len(fake.issues) == 2


def test_a_run_opens_only_so_many_issues() -> None:
    """A thousand drifted stacks do not make a thousand issues; what was left out is said."""
    with serving() as fake:
        said = synced(fake, *[a_stack(file=f"plans/{n}.yaml") for n in range(5)], most_new=2)
        assert len(fake.issues) == 2
        assert sum("not made" in line for line in said) == 3


def test_an_issue_is_found_on_any_page() -> None:
    """With 250 older issues of the label, ours is still the one that is edited."""
    with serving() as fake:
        for _ in range(250):
            fake.add("something else")
        fake.add(f"{Mark(KEY, 'a' * 64, FIRST)}\nold")
        synced(fake, a_stack())
        assert len(fake.issues) == 251
        assert "last checked" in fake.issues[251]["body"]


def test_a_huge_report_still_fits() -> None:
    """3,000 findings with long differences: at most 60,000 characters, and what is left out is counted."""
    findings = [
        a_finding(address=f"application/{n}.net/" + "x" * 50, diff=["+ " + "y" * 500]) for n in range(3000)
    ]
    with serving() as fake:
        synced(fake, a_stack(findings=findings))
        body = fake.issues[1]["body"]
        assert len(body) <= 60_000
        assert "more findings are left out" in body


def test_a_comment_is_updated_in_place() -> None:
    """Created once, left alone when nothing changed, edited when it did; others' comments are not touched."""
    with serving() as fake, GitHub(TOKEN, fake.url, "o/r") as github:
        fake.say(7, "<!-- cf-mtls:comment v1 key=drift -->\nnot ours", author="mallory")
        told = [
            upsert(github, 7, "drift", text, BOT)
            for text in ("one", "one", "two", of_text("z" * 99 + "\n" * 99_000))
        ]
        assert told == ["created", "unchanged", "updated", "updated"]
        assert len(fake.comments[7]) == 2
        assert fake.comments[7][0]["body"].endswith("not ours")
        assert len(fake.comments[7][1]["body"]) <= 60_000
