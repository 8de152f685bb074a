"""One issue a stack: the whole state machine against a small GitHub on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cf_mtls.ci.comment import of_text, upsert
from cf_mtls.ci.github import GitHub
from cf_mtls.ci.issue import Done, Run, sync
from cf_mtls.ci.mark import Mark, key_of, mark_of, old_key_of
from cf_mtls.ci.reading import told
from tests.ci.fake_github import BOT, TOKEN, Answer, FakeGitHub, inside, serving
from tests.ci.reports import FILE, SCOPE, a_finding, a_report, a_stack

RUN = Run("2026-11-24T08:00:00Z", "https://github.example/o/r/actions/runs/1", BOT, ("cf-mtls", "drift"))
KEY = key_of("o/r", "georgetown", SCOPE)
FIRST = "2026-11-20T05:23:00Z"
GET = [("GET", "/repos/o/r/issues")]
PATCH, COMMENT = ("PATCH", "/repos/o/r/issues/1"), ("POST", "/repos/o/r/issues/1/comments")
READ = ("GET", "/repos/o/r/issues/1/comments")


def a_mark(fp: str = "a", **more: Any) -> Mark:
    known = {"place": "o/r", "file": FILE, "said": fp * 64, "count": 0, **more}
    return Mark(KEY, fp * 64, FIRST, **known)


def an_old_line(fp: str = "a", file: str = FILE) -> str:
    return f"<!-- cf-mtls:drift v1 key={old_key_of(file, SCOPE)} fp={fp * 64} first={FIRST} -->"


def old_body(file: str = FILE, stack: str = "georgetown", fp: str = "a") -> str:
    """As version 1 wrote it."""
    text = f"### cf-mtls: drift\n\nPlan file `{file}`, stack `{stack}`, `{SCOPE}`."
    return f"{an_old_line(fp, file)}\nFirst seen …\n\n{text}"


def synced(fake: FakeGitHub, *stacks: dict[str, Any], most_new: int = 10, **report: Any) -> Done:
    """One run over one report."""
    with inside(fake) as github:
        return sync(github, told([{**a_report(*stacks), **report}], "o/r"), RUN, most_new)


def files(*names: str, whole: bool = True, folder: str = "plans") -> dict[str, Any]:
    """The account of a folder."""
    return {"files": {"whole": whole, "folders": [folder], "plan_files": list(names), "says": ""}}


def states(fake: FakeGitHub) -> list[str]:
    return [issue["state"] for _, issue in sorted(fake.issues.items())]


def comments(fake: FakeGitHub, number: int = 1) -> list[str]:
    """What people read of our comments."""
    return [c["body"].partition("\n")[2] for c in fake.comments.get(number, [])]


TABLE = [
    # state, issue, what was said: the requests, the issue's state afterwards, comments
    ("drift", None, "", [("POST", "/repos/o/r/issues")], "open", 0),
    ("drift", "open", "b", [READ, COMMENT, PATCH], "open", 1),
    ("drift", "open", "a", [READ, PATCH], "open", 0),
    ("drift", "closed", "b", [PATCH, READ, COMMENT], "open", 1),
    ("drift", "closed", "a", [PATCH, READ], "open", 0),
    ("drift", "closed", "resolved", [PATCH, READ, COMMENT], "open", 1),
    ("clean", None, "", [], None, 0),
    ("clean", "open", "a", [READ, COMMENT, PATCH], "closed", 1),
    ("clean", "open", "resolved", [READ, PATCH], "closed", 0),
    ("clean", "closed", "resolved", [], "closed", 0),
    ("error", None, "", [], None, 0),
    ("error", "open", "a", [], "open", 0),
    ("error", "open", "b", [], "open", 0),
    ("error", "closed", "resolved", [], "closed", 0),
    ("gone", "open", "a", [READ, COMMENT, PATCH], "closed", 1),
    ("gone", "open", "gone", [READ, PATCH], "closed", 0),
    ("gone", "closed", "gone", [], "closed", 0),
]


@pytest.mark.parametrize(("status", "issue", "said", "requests", "after", "count"), TABLE)
def test_each_state_does_what_the_table_says(
    status: str, issue: str | None, said: str, requests: list[Any], after: str | None, count: int
) -> None:
    """Seventeen situations: the exact requests, the state afterwards, and a comment only for what was not said."""
    fake = FakeGitHub()
    words = said if said in {"resolved", "gone"} else (said or "a") * 64
    if issue:
        fake.add(f"{a_mark(said if len(said) == 1 else 'a', said=words)}\nold", state=issue)
    other = a_stack("clean", file="plans/other.yaml", stack="other")
    stacks = [] if status == "gone" else [a_stack(status)]
    account = files("plans/other.yaml") if status == "gone" else {}
    synced(fake, *stacks, other, **account)
    assert fake.seen == GET + requests
    assert (states(fake) or [None]) == [after]
    assert len(comments(fake)) == count


def test_a_month_of_checks_makes_one_issue_and_four_comments() -> None:
    """Drift, the same again, an error, other drift, clean, back again, clean: one issue, no spam, over real HTTP."""
    with serving() as fake, GitHub(TOKEN, fake.url, "o/r") as github:
        for status, fp in [("drift", "a")] * 9 + [("error", "")] * 3 + [("drift", "b")] * 5 + [("clean", "")] * 5 + [
            ("drift", "b"), ("drift", "b"), ("clean", ""),
        ]:  # fmt: skip
            sync(github, told([a_report(a_stack(status, fp or "a"))], "o/r"), RUN, 10)
        assert len(fake.issues) == 1
        assert [words.split()[0] for words in comments(fake)] == ["What", "Resolved:", "It", "Resolved:"]
        assert fake.issues[1]["labels"] == ["cf-mtls", "drift"]


def test_first_seen_stays_while_the_issue_is_open() -> None:
    """An update keeps the day; a reopened issue begins anew."""
    fake = FakeGitHub()
    fake.add(f"{a_mark('b')}\nold")
    synced(fake, a_stack())
    assert mark_of(fake.issues[1]["body"]) == a_mark("a", count=1)
    fake.issues[1]["state"] = "closed"
    synced(fake, a_stack())
    found = mark_of(fake.issues[1]["body"])
    assert found
    assert (found.first, found.fingerprint) == (RUN.at, "a" * 64)


def test_the_mark_reads_back_whatever_the_file_is_called() -> None:
    """Names with what ends a comment, line breaks, other alphabets: one line, one marker, the same name again."""
    for name in ("plans/a.yaml", "a --> b.yaml", "a\nb", "é/ü.yaml", "a--b---c", "%2D", " ", "a>b<!-- -->"):
        line = str(a_mark(file=name, place="o-o/r.r_r"))
        assert "\n" not in line
        assert line.count("--") == 2
        assert mark_of(line) == a_mark(file=name, place="o-o/r.r_r")


@pytest.mark.parametrize("author", ["mallory", "dependabot[bot]", ""])
def test_a_marker_that_somebody_else_wrote_is_only_text(author: str) -> None:
    """An issue with our marker by another author is neither edited nor closed, nor is his comment a record of ours."""
    fake = FakeGitHub()
    fake.add(f"{a_mark()}\nhello", author=author)
    synced(fake, a_stack("clean"))
    synced(fake, a_stack(), **files("plans/other.yaml"))
    assert fake.issues[1]["body"].endswith("hello")
    assert states(fake) == ["open", "open"]
    fake.say(2, f"<!-- cf-mtls:said v2 key={KEY} n=1 what={'b' * 64} -->", author=author)
    synced(fake, a_stack(fp="b"))
    assert len(fake.comments[2]) == 2


def test_a_marker_below_the_first_line_is_only_text() -> None:
    """What an account's names put into a body is never read as a marker."""
    for line in (str(a_mark()), an_old_line()):
        assert mark_of(f"x\n{line}") is None
        assert mark_of(f"x {line}") is None


def test_each_stack_has_its_own_issue_and_errors_hide_none() -> None:
    """Three stacks, one broken: two issues are made, the broken one's stays as it is."""
    fake = FakeGitHub()
    stacks = [
        a_stack(file=f"plans/{n}.yaml", stack=n, status=s)
        for n, s in (("a", "drift"), ("b", "error"), ("c", "drift"))
    ]
    for _ in range(2):
        said = synced(fake, *stacks)
        assert len(fake.issues) == 2
    assert sum("could not be checked" in line for line in said.lines) == 1


SAME_PATH = [
    (
        {"stack": "east"},
        {},
        {"stack": "west"},
        {},
    ),  # two folders of one repository, or one file after the other
    ({"scope": "zone:" + "1" * 32}, {}, {"scope": "zone:" + "2" * 32}, {}),
    ({}, {"repository": "o/one"}, {}, {"repository": "o/two"}),
]


@pytest.mark.parametrize(("one", "where_one", "two", "where_two"), SAME_PATH)
def test_two_stacks_of_one_path_have_an_issue_each(
    one: dict[str, Any], where_one: dict[str, Any], two: dict[str, Any], where_two: dict[str, Any]
) -> None:
    """Whatever tells them apart, name, scope or repository: a clean one never closes the other's."""
    fake = FakeGitHub()
    first, second = ({"where": {"repository": "", "directory": "", **w}} for w in (where_one, where_two))
    synced(fake, a_stack(**one), **first)
    synced(fake, a_stack("clean", **two), **second)
    assert states(fake) == ["open"]
    synced(fake, a_stack(**two), **second)
    assert states(fake) == ["open", "open"]
    synced(fake, a_stack("clean", **one), **first)
    assert states(fake) == ["closed", "open"]


def test_a_file_with_a_new_name_keeps_its_issue() -> None:
    """Moved and renamed while it drifts: the same issue, with the new path; then clean closes it."""
    fake = FakeGitHub()
    synced(fake, a_stack(), **files(FILE))
    for name in ("plans/moved/x.yaml", "plans/y.yml"):
        synced(fake, a_stack(file=name), **files(name))
        assert states(fake) == ["open"]
        assert name in fake.issues[1]["body"]
        assert comments(fake) == []
    synced(fake, a_stack("clean", file="plans/z.yml"), **files("plans/z.yml"))
    assert states(fake) == ["closed"]


OTHER = a_stack("clean", file="plans/other.yaml", stack="other")
NO_NAME = a_stack("error", file="plans/b.yaml", stack="", scope="")
NO_SCOPE = a_stack("error", file="plans/b.yaml", stack="b", scope="")
NOT_GONE: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "named files": ([OTHER], {}),
    "a file could not be read": ([OTHER], files("plans/other.yaml", whole=False)),
    "another folder": ([OTHER], files("plans/other.yaml", folder="plan")),
    "a file has no verdict": ([OTHER], files("plans/other.yaml", "plans/third.yaml")),
    "a stack has no name": ([OTHER, NO_NAME], files("plans/other.yaml")),
    "a stack has no scope": ([OTHER, NO_SCOPE], files("plans/other.yaml")),
    "another working directory": (
        [OTHER], {**files("plans/other.yaml"), "where": {"repository": "o/r", "directory": "west"}},
    ),
    "another repository": ([OTHER], {**files("plans/other.yaml"), "where": {"repository": "o/x", "directory": ""}}),
    "outside": ([{**OTHER, "file": "../other.yaml"}], files("../other.yaml", folder="..")),
    "it could not be checked": ([OTHER, a_stack("error")], files("plans/other.yaml", FILE)),
}  # fmt: skip


@pytest.mark.parametrize("why", NOT_GONE)
def test_nothing_is_closed_as_gone_without_every_file_of_its_folder(why: str) -> None:
    """Ten ways in which a stack is missing from a run and may be there all the same: its issue is not touched."""
    fake = FakeGitHub()
    fake.add(f"{a_mark()}\nold")
    stacks, account = NOT_GONE[why]
    synced(fake, *stacks, **account)
    assert (states(fake), fake.issues[1]["body"], fake.seen) == (["open"], f"{a_mark()}\nold", GET)


@pytest.mark.parametrize(
    "change", [{"stack": "renamed"}, {"scope": "account:" + "e" * 32}, {"file": "plans/o.yaml", "stack": "o"}]
)
def test_a_stack_that_is_gone_closes_its_issue_with_the_reason(change: dict[str, Any]) -> None:
    """Its file removed, its name or its scope changed: closed, saying why; what took its place has its own issue."""
    fake = FakeGitHub()
    synced(fake, a_stack(), **files(FILE))
    other = a_stack(**change)
    synced(fake, other, **files(other["file"]))
    assert states(fake) == ["closed", "open"]
    (said,) = comments(fake)
    assert "the stack is gone" in said
    assert "`plans`" in said
    synced(fake, a_stack(), **files(FILE))
    assert states(fake) == ["open", "closed"]
    assert "It drifted again" in comments(fake)[-1]


@pytest.mark.parametrize("folder", ["..", "../plans", "/srv/plans"])
def test_what_lies_outside_of_the_repository_is_never_covered(folder: str) -> None:
    """Its path says nothing on another machine: a stack missing there is not gone."""
    file = f"{folder}/other.yaml"
    assert told([{**a_report({**OTHER, "file": file}), **files(file, folder=folder)}], "o/r").covered == ()


def test_a_matrix_covers_a_folder_together() -> None:
    """Jobs over named files and the account that `stacks` left: gone is closed once every job has reported."""
    account = {"cf_mtls": {"schema": 1, "kind": "stacks"}, **files("plans/a.yaml", "plans/b.yaml")}
    jobs = [a_report(a_stack("clean", file=f"plans/{n}.yaml", stack=n)) for n in "ab"]
    for reports, after in (([account, jobs[0]], "open"), (jobs, "open"), ([*jobs, account], "closed")):
        fake = FakeGitHub()
        fake.add(f"{a_mark()}\nold")
        with inside(fake) as github:
            sync(github, told(reports, "o/r"), RUN, 10)
        assert states(fake) == [after]


def test_several_reports_on_one_stack_count_as_the_worst() -> None:
    """An older report beside the new one, in either order: never closed, and one issue."""
    for reports in (("drift", "clean"), ("clean", "drift"), ("error", "clean"), ("clean", "error")):
        fake = FakeGitHub()
        fake.add(f"{a_mark()}\nold")
        synced(fake, *map(a_stack, reports))
        assert states(fake) == ["open"]


OLD = [
    ("by its text", old_body(), True),
    ("by its text, renamed since", old_body(file="plans/before.yaml"), True),
    ("by its key alone", f"{an_old_line()}\nold", True),
    ("another stack of one path", old_body(stack="other"), False),
    ("another path and no text", f"{an_old_line(file='x.yaml')}\nold", False),
]


@pytest.mark.parametrize(("body", "is_ours"), [row[1:] for row in OLD], ids=[row[0] for row in OLD])
@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_issue_of_the_first_version_is_moved_over_once(body: str, is_ours: bool, state: str) -> None:
    """With drift it is the stack's issue and gets the new marker; clean closes it; no orphan and no double."""
    fake = FakeGitHub()
    fake.add(body, state=state)
    for _ in range(2):
        synced(fake, a_stack())
    assert states(fake) == (["open"] if is_ours else [state, "open"])
    found = mark_of(fake.issues[1]["body"])
    assert found
    assert found.is_old is not is_ours
    fake = FakeGitHub()
    fake.add(body, state=state)
    synced(fake, a_stack("clean"))
    assert states(fake) == ["closed" if is_ours else state]
    synced(fake, a_stack("error"))
    synced(fake, a_stack("clean", file="plans/third.yaml", stack="third"), **files("plans/third.yaml"))
    assert states(fake) == ["closed" if is_ours else state]


def test_of_two_issues_of_one_stack_the_newer_is_closed() -> None:
    """Two runs at once made them: the newer points to the older, once; a later drift reopens the older."""
    fake = FakeGitHub()
    for _ in range(3):
        fake.add(f"{a_mark()}\nold")
    for _ in range(2):
        synced(fake, a_stack())
        assert states(fake) == ["open", "closed", "closed"]
    assert comments(fake, 2) == comments(fake, 3) == ["The same as #1, which stays."]
    synced(fake, a_stack("clean"))
    synced(fake, a_stack())
    assert states(fake) == ["open", "closed", "closed"]


def test_a_run_opens_only_so_many_issues() -> None:
    """A thousand drifted stacks do not make a thousand issues; what was left out is said."""
    fake = FakeGitHub()
    done = synced(fake, *[a_stack(file=f"plans/{n}.yaml", stack=f"s{n}") for n in range(5)], most_new=2)
    assert len(fake.issues) == 2
    assert sum("not made" in line for line in done.lines) == 3


@pytest.mark.parametrize(("failing", "made", "problems"), [({1}, 4, 1), ({1, 3}, 3, 2), ({0, 1, 2}, 0, 3)])
def test_a_stack_that_github_fails_at_hides_no_other(failing: set[int], made: int, problems: int) -> None:
    """The rest is done and what failed is said; after three in a row the rest is left to the next run."""
    fake, asked = FakeGitHub(), iter(range(99))

    def around(request: str, do: Callable[[], Answer]) -> Answer:
        refused = request.startswith("POST") and next(asked) in failing
        return (502, {}) if refused else do()

    stacks = [a_stack(file=f"plans/{n}.yaml", stack=f"s{n}") for n in range(5)]
    with inside(fake, around) as github:
        done = sync(github, told([a_report(*stacks)], "o/r"), RUN, 10)
    assert (len(fake.issues), len(done.problems)) == (made, problems)
    assert {problem.code.code for problem in done.problems} == {"ci.github"}
    assert any("left to the next run: 2 issues" in line for line in done.lines) is (made == 0)
    synced(fake, *stacks)
    assert states(fake) == ["open"] * 5


def test_an_issue_is_found_on_any_page() -> None:
    """With 250 newer issues of the label, ours is still the one that is edited."""
    with serving() as fake, GitHub(TOKEN, fake.url, "o/r") as github:
        fake.add(f"{a_mark()}\nold")
        for _ in range(250):
            fake.add("something else")
        sync(github, told([a_report(a_stack())], "o/r"), RUN, 10)
        assert len(fake.issues) == 251
        assert "last checked" in fake.issues[1]["body"]


def test_a_huge_report_still_fits() -> None:
    """3,000 findings with long differences: at most 60,000 characters, and what is left out is counted."""
    findings = [
        a_finding(address=f"application/{n}.net/" + "x" * 50, diff=["+ " + "y" * 5000]) for n in range(3000)
    ]
    fake = FakeGitHub()
    synced(fake, a_stack(findings=findings))
    body = fake.issues[1]["body"]
    assert len(body) <= 60_000
    assert "more findings are left out" in body


def test_a_comment_is_updated_in_place() -> None:
    """Created once, left alone when nothing changed, edited when it did; others' comments are not touched."""
    with serving() as fake, GitHub(TOKEN, fake.url, "o/r") as github:
        fake.say(7, "<!-- cf-mtls:comment v1 key=drift -->\nnot ours", author="mallory")
        told_ = [
            upsert(github, 7, "drift", text, BOT)
            for text in ("one", "one", "two", of_text("z" * 99 + "\n" * 99_000))
        ]
        assert told_ == ["created", "unchanged", "updated", "updated"]
        assert len(fake.comments[7]) == 2
        assert fake.comments[7][0]["body"].endswith("not ours")
        assert len(fake.comments[7][1]["body"]) <= 60_000
