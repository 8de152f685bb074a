"""Text for a person: harmless, and complete without colour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cf_mtls.diagnostics import Code, Fault, Place, Severity
from cf_mtls.report.terminal import LONGEST_LINE, MOST_ALIKE, WINDOW, Paint, harmless, message, messages

CODE = Code("x.y", Severity.ERROR, Fault.FILE, "it is wrong")


def test_a_message_says_severity_place_detail_fix_and_fault() -> None:
    """The whole shape of a message, with the caret under the column."""
    found = CODE.found("The thing is wrong.", "Mend it:\n    mend it").at(
        Place("f.yaml", 3, 5, "a.b"), "  a: wrong"
    )
    assert message(found, Paint()) == (
        "error: it is wrong [x.y]\n"
        "  f.yaml:3:5 (a.b)\n"
        "    3 |   a: wrong\n"
        "            ^\n"
        "  The thing is wrong.\n"
        "  Mend it:\n"
        "      mend it\n"
        "  To mend: your file."
    )


def test_warnings_come_before_errors() -> None:
    """A terminal shows the end of what is said."""
    warning = Code("w", Severity.WARNING, Fault.FILE, "look")
    text = messages([CODE.found("e"), warning.found("w")], Paint())
    assert text.index("warning") < text.index("error")


@given(st.text(min_size=1))
def test_no_untrusted_text_reaches_the_terminal_raw(name: str) -> None:
    """Control characters, line breaks and direction marks are written as escapes; printable text is unchanged."""
    shown = harmless(name)
    assert shown.isprintable()
    assert not set(shown) & set("\x1b\n\r\x07\x9b\u202e\u2028")
    assert not name.isprintable() or name == shown


def test_of_what_is_alike_twenty_are_shown_and_the_rest_counted() -> None:
    """Twenty thousand problems of two codes and one warning: every code is there, and it can be read."""
    other, warning = (
        Code("z", Severity.ERROR, Fault.FILE, "another"),
        Code("w", Severity.WARNING, Fault.FILE, "look"),
    )
    found = [CODE.found(f"problem {n}") for n in range(20_000)] + [other.found("rare"), warning.found("seen")]
    text = messages(found, Paint())
    assert [f"problem {n}\n" in text for n in (0, MOST_ALIKE - 1, MOST_ALIKE)] == [True, True, False]
    assert f"error: {20_000 - MOST_ALIKE} more of: it is wrong [x.y]" in text
    assert all(word in text for word in ("rare", "seen"))
    assert len(text) < 10_000


@given(st.integers(0, MOST_ALIKE + 5), st.integers(0, MOST_ALIKE + 5))
def test_shown_and_counted_are_all(ones: int, others: int) -> None:
    """Whatever the numbers, nothing is left out of the count."""
    other = Code("z", Severity.WARNING, Fault.FILE, "another")
    text = messages([CODE.found("d")] * ones + [other.found("d")] * others, Paint())
    for code, number in ((CODE, ones), (other, others)):
        shown = sum(line.endswith(f" {code.summary} [{code.code}]") for line in text.splitlines())
        more = [int(w) for w, *_ in (line.partition(": ")[2].split() for line in text.splitlines()
                                     if f"more of: {code.summary} [" in line)]  # fmt: skip
        assert shown - len(more) + sum(more) == number


@given(st.integers(1, 5 * WINDOW), st.integers(1, 5 * WINDOW))
def test_of_a_long_line_the_part_around_the_column_is_shown(length: int, column: int) -> None:
    """The caret stands under the same letter as in the file; a short line is shown whole."""
    line = "".join(chr(0x4E00 + n) for n in range(length))
    text = message(CODE.found("d").at(Place("f", 1, column), line), Paint()).splitlines()
    shown, caret = text[2], text[3].index("^")
    assert len(shown) < 2 * WINDOW + 12
    if column <= length:
        assert shown[caret] == line[column - 1]
    if length <= 2 * WINDOW:
        assert shown.endswith(line)


def test_a_long_detail_is_cut_and_says_so() -> None:
    """A name of a million letters does not fill the terminal."""
    text = message(CODE.found("x" * 1_000_000, "y" * 1_000_000), Paint())
    assert len(text) < 3 * LONGEST_LINE
    assert text.count("(1000000 characters)") == 2
