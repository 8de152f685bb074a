"""The plan file's shape: refused with a place, and with the word that was meant."""

from __future__ import annotations

import pytest

from cf_mtls.declare.border import document
from cf_mtls.declare.document import Document
from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.declare.yaml_text import read
from cf_mtls.diagnostics import Diagnostic


def problems(text: str) -> list[Diagnostic]:
    reading = read(text, "f.yaml")
    document(reading)
    return reading.diagnostics


def understood(text: str) -> Document:
    reading = read(text, "f.yaml")
    found = document(reading)
    assert found is not None, reading.diagnostics
    return found


HEAD = "version: 1\nstack: s\n"


@pytest.mark.parametrize(
    ("text", "code", "line", "said"),
    [
        ("version: 1\nstack: s\nstak: x\n", "document.unknown-key", 3, "Did you mean stack?"),
        (
            HEAD + "applications:\n  a: {domian: x.example}\n",
            "document.unknown-key",
            4,
            "Did you mean domain?",
        ),
        (
            HEAD + "certificates:\n  a: {associated_hostnames: [x.example]}\n",
            "document.missing-key",
            4,
            "chain",
        ),
        ("stack: s\n", "document.missing-key", 1, "version"),
        *(
            (
                HEAD + f"clients:\n  a: {{certificate: a.pem, expect: {expect}}}\n",
                "document.invalid-value",
                4,
                said,
            )
            for expect, said in (
                ("maybe", "expect: input should be 'allowed' or 'refused'"),
                ("[allowed]", "expect: input should be 'allowed' or 'refused'"),
                ("{https://x.example/: maybe}", "https://x.example/: input should be 'allowed' or 'refused'"),
                ("{x.example/y: allowed}", "x.example/y: must be a URL of this file, https://host/path"),
            )
        ),
        (HEAD + "account_id: 0123\n", "yaml.ambiguous-scalar", 3, "quotes"),
        (HEAD + "account_id: '0123'\n", "document.invalid-value", 3, "32 hexadecimal"),
        (HEAD + "account_id: 12\n", "document.invalid-value", 3, "put it in quotes"),
        ("version: 2\nstack: s\n", "document.invalid-value", 1, "version"),
        ("version: 1\nstack: Bad Name\n", "document.invalid-value", 2, "a-z"),
        (
            HEAD + "hostname_settings:\n  https://x.example: {}\n",
            "document.invalid-value",
            4,
            "without scheme",
        ),
        (
            HEAD + "applications:\n  a: {domain: 'https://x.example/'}\n",
            "document.invalid-value",
            4,
            "host/path",
        ),
        (
            HEAD + "applications:\n  a:\n    domain: x.example\n    policies:\n"
            "      - {name: n, include: [{certificat: {}}]}\n",
            "document.invalid-value",
            7,
            "did you mean certificate?",
        ),
        *(
            (
                HEAD + "applications:\n  a:\n    domain: x.example\n    policies:\n"
                f"      - {{name: n, include: [everyone: {{}}], require: [{rule}]}}\n",
                "document.invalid-value",
                7,
                said,
            )
            for rule, said in (
                ("{common_name: }", "names nobody: give it common_name"),
                ("{email: ' '}", "names nobody: give it email"),
                ("{ip: {ip: }}", "names nobody: give it ip"),
                ("{email_list: {}}", "names nobody: give it id"),
            )
        ),
        (
            HEAD
            + "applications:\n  a:\n    domain: x.example\n    policies:\n      - {name: n, include: []}\n",
            "document.invalid-value",
            7,
            "include",
        ),
        (
            HEAD + "certificates:\n  a: {chain: [], associated_hostnames: [x.example]}\n",
            "document.invalid-value",
            4,
            "chain",
        ),
    ],
)
def test_a_wrong_file_is_refused_at_its_place(text: str, code: str, line: int, said: str) -> None:
    """The code, the line of the cause, and the words that help."""
    found = [(d.code.code, d.place.line if d.place else 0, d.detail + d.fix) for d in problems(text)]
    assert any(c == code and at == line and said in words for c, at, words in found), found


def test_all_problems_of_a_file_come_at_once() -> None:
    """Two unknown keys and a missing one are three messages."""
    text = "stack: s\nstak: 1\napplications:\n  a: {domian: x}\n"
    assert sorted(d.code.code for d in problems(text)) == [
        "document.missing-key",
        "document.unknown-key",
        "document.unknown-key",
    ]


def test_the_example_is_understood() -> None:
    """The shipped example is a valid document."""
    assert understood(GEORGETOWN).stack == "georgetown"


def test_a_selector_may_be_written_as_one_word() -> None:
    """`common_name: fleet` is what the API calls {common_name: {common_name: fleet}}."""
    text = (
        HEAD
        + "applications:\n  a:\n    domain: x.example\n    policies:\n      - {name: n, include: [RULE]}\n"
    )
    application = understood(text.replace("RULE", "{common_name: fleet}, {certificate: }")).applications["a"]
    assert application.policies
    assert application.policies[0].include == [{"common_name": {"common_name": "fleet"}}, {"certificate": {}}]


def test_hostnames_are_folded() -> None:
    """A hostname's case means nothing, a path's does."""
    text = HEAD + "applications:\n  a: {domain: X.Example/Path}\n"
    assert understood(text).applications["a"].domain == "x.example/Path"
