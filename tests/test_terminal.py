"""Text for a person: harmless, and complete without colour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cf_mtls.diagnostics import Code, Fault, Place, Severity
from cf_mtls.report.terminal import Paint, harmless, message, messages

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
