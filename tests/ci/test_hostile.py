"""Names that come from an account stay names: in logs, Markdown, XML, annotations, outputs and issues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cf_mtls.ci.comment import of_text
from cf_mtls.ci.issue import Run, body
from cf_mtls.ci.mark import MARKER, Mark, mark_of, said_line
from cf_mtls.ci.outputs import annotated, annotated_problems, output_text, outputs
from cf_mtls.ci.reading import report
from cf_mtls.diagnostics import Code, Fault, Place, Severity
from cf_mtls.model.waiver import Waiver
from cf_mtls.planning.drift import Checked, Class, Finding
from cf_mtls.report.drift_data import drift_data
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.junit_drift import drift_junit
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.terminal import Paint, no_commands
from tests.ci.steps import parsed
from tests.planning.worlds import BUDGET

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = "s3cret-by-value-0123456789"
SHAPED = "cfut_" + "A1b2" * 9
MARK = str(Mark("0" * 16, "f" * 64, "2026-01-01T00:00:00Z", "o/r", "plans/x.yaml", "f" * 64))
SAID = said_line("0" * 16, 1, "resolved")

PIECES = [
    "EVIL", "`", "``", "```", "````", "~~~", "\n", "\r", "\r\n", "\u2028", "\x85", "|", "\\", "\\|", "<!--", "-->",
    SAID, MARK, "::error::EVIL", "##[add-mask]EVIL", "::stop-commands::x", "\x1b[31m", "\x9b", "\x00", "\u202e",
    "</details>", "<script>", "]]>", "&", '"', "@EVIL", "[EVIL](EVIL)", "%0A", "%25", ",", ":", " ", "# EVIL", TOKEN,
    SHAPED, "é", "\ud800",
]  # fmt: skip
OUTPUTS = ["a\nstatus=clean", "x\ny<<EOF\nz\nEOF", "\n", "\nstatus<<d\nclean\nd", "=", "<<", "a<<b=c"]
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


def a_check(names: list[str]) -> dict[str, Any]:
    """A report in which every text that can come from outside is hostile."""
    one, two, three, four = names
    waiver = Waiver(one, two, three, date(2027, 1, 1), place=Place(four, 3, 1))
    place = Place(one, 7, 5)
    found = [Finding(kind, two, f"{three}\n{four}", one, place=place) for kind in Class]
    found.append(Finding(Class.DRIFT, one, four, two, waiver=waiver))
    checked = Checked(four, one, three, tuple(found), unused=(waiver,))
    return drift_data([checked], NOW, (TOKEN,))


def outside_code(markdown: str) -> str:
    """Markdown without what stands in fences and code spans, as CommonMark reads them."""
    kept: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        opened = re.match(r" {0,3}(`{3,})[^`]*$", line)
        if fence:
            fence = "" if re.fullmatch(rf" {{0,3}}`{{{len(fence)},}}\s*", line) else fence
        elif opened:
            fence = opened[1]
        else:
            kept.append(line)
    assert fence == "", "a fence is left open"
    return "\n".join("".join(_outside_spans(line)) for line in kept)


def _outside_spans(line: str) -> Iterator[str]:
    while found := re.search(r"`+", line):
        yield line[: found.start()]
        rest = line[found.end() :]
        closing = re.search(rf"(?<!`){found[0]}(?!`)", rest)
        if not closing:
            yield rest
            return
        line = rest[closing.end() :]
    yield line


EXAMPLES = settings(max_examples=150 * BUDGET, deadline=None)
NAMES = st.lists(HOSTILE, min_size=4, max_size=4)


@EXAMPLES
@given(NAMES)
def test_no_line_of_a_log_is_a_workflow_command(names: list[str]) -> None:
    """Neither `::name` at the beginning nor `##[` anywhere, and nothing unprintable."""
    text = drift_text(a_check(names), Paint())
    for line in text.split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert line.isprintable()


@EXAMPLES
@given(st.lists(st.sampled_from([*PIECES, "::", "##[", "\t", "#"]), max_size=12).map("".join))
def test_what_the_console_prints_is_never_a_command(text: str) -> None:
    """As the runner reads it: lines end at CR or LF, blanks before `::` do not count, `##[` counts anywhere."""
    for line in re.split(r"[\r\n]", no_commands(text)):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


@EXAMPLES
@given(NAMES)
def test_markdown_keeps_names_in_code(names: list[str]) -> None:
    """Outside of code nothing hostile is left; every table row has its five bars; no marker but ours."""
    markdown = drift_markdown(a_check(names)["stacks"])
    rest = outside_code(markdown)
    assert "EVIL" not in rest
    assert "script" not in rest
    rows = [line for line in markdown.split("\n") if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {5}
    assert "<!--" not in markdown


@EXAMPLES
@given(NAMES)
def test_plain_text_stays_in_its_fence(names: list[str]) -> None:
    """What a comment shows of a plan cannot end the fence that it stands in."""
    assert "EVIL" not in outside_code(of_text("\n".join(names)))


@EXAMPLES
@given(NAMES)
def test_an_issue_has_one_marker_and_it_is_ours(names: list[str]) -> None:
    """The first line is the stack's own marker; no name can put another one anywhere."""
    (stack,) = a_check(names)["stacks"]
    ours = Mark("1" * 16, "f" * 64, "2026-11-24T08:00:00Z", names[0], names[1], "f" * 64, 3)
    text = body(stack, ours, Run("2026-11-24T08:00:00Z", "", "bot", ("cf-mtls",)))
    mark = mark_of(text)
    assert mark
    assert (mark.key, mark.count) == (ours.key, 3)
    assert len(MARKER.findall(text)) == 1


@EXAMPLES
@given(NAMES)
def test_junit_is_xml_with_one_case_a_finding(names: list[str]) -> None:
    """It parses, and no name adds a case."""
    data = a_check(names)
    root = ET.fromstring(drift_junit(data).encode())  # noqa: S314 - made here
    assert len(root.findall(".//testcase")) == len(data["stacks"][0]["findings"])


@EXAMPLES
@given(NAMES)
def test_annotations_are_one_command_a_line(names: list[str]) -> None:
    """Each is one `::error`, with exactly the properties that we gave it."""
    for line in annotated(a_check(names)):
        assert line.isprintable()
        properties, _, _ = line.removeprefix("::error ").partition("::")
        assert [p.partition("=")[0] for p in properties.split(",")] in (
            ["file", "line", "col", "title"], ["file", "title"], ["title"],
        )  # fmt: skip


@EXAMPLES
@given(st.dictionaries(st.from_regex(r"[a-z-]{1,9}", fullmatch=True), HOSTILE | st.sampled_from(OUTPUTS)))
def test_outputs_read_back_as_they_were_written(values: dict[str, str]) -> None:
    """The runner's own reading gives the same names and values, whatever lines are in them."""
    assert parsed(output_text(values, "d" * 32)) == values


def test_a_value_with_the_delimiter_in_it_is_never_written() -> None:
    """128 random bits cannot be in a value; if they are, they were not random, and nothing is said."""
    with pytest.raises(ValueError, match="delimiter"):
        output_text({"a": f"x\n{'d' * 32}\nstatus=clean"}, "d" * 32)


@EXAMPLES
@given(NAMES)
def test_problems_become_one_command_a_line(names: list[str]) -> None:
    """Also of a file's own diagnostics: one `::error` each with our properties, nine of them, no token in any."""
    one, two, three, four = names
    code = Code("x.y", Severity.ERROR, Fault.FILE, "summary")
    found = [code.found(f"{one}\n{two}{SHAPED}", three, Place(four or "f", 1, 2))] * 12
    lines = list(annotated_problems(found))
    assert len(lines) == 10
    assert "and 3 more" in lines[-1]
    for line in lines:
        assert line.isprintable()
        assert SHAPED not in line
        assert line.startswith("::error ")
        properties, _, _ = line.removeprefix("::error ").partition("::")
        assert [p.partition("=")[0] for p in properties.split(",")] in (
            ["file", "line", "col", "title"],
            ["title"],
        )


@EXAMPLES
@given(NAMES)
def test_no_secret_is_in_any_form(names: list[str]) -> None:
    """By value and by shape, in data and in all that is made of it."""
    data = a_check([*names[:3], f"{names[3]}{TOKEN}{SHAPED}"])
    forms = (
        json.dumps(data), drift_text(data, Paint()), drift_markdown(data["stacks"]), drift_junit(data),
        "\n".join(annotated(data)), output_text(outputs(data, {}), "d" * 32), of_text("\n".join([*names, SHAPED])),
    )  # fmt: skip
    for form in forms[:-1]:
        assert TOKEN not in form
    assert not [form for form in forms if SHAPED in form]


@EXAMPLES
@given(NAMES)
def test_a_report_survives_the_way_through_an_artifact(names: list[str]) -> None:
    """Written and read again it is the same data."""
    data = a_check(names)
    assert report(json.dumps(data).encode(), "report.json") == data


def test_annotations_stop_at_nine_and_say_how_many_more() -> None:
    """GitHub drops the eleventh without a word; we say it with the tenth."""
    found = tuple(Finding(Class.DRIFT, f"application/{n}.net", "x", "x") for n in range(40))
    lines = list(annotated(drift_data([Checked("f", "s", "a", found)], NOW, ())))
    assert len(lines) == 10
    assert "and 31 more" in lines[-1]
