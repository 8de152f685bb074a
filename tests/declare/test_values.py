"""What a value in a plan file may be: each form that is right, and its neighbours that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from cf_mtls.declare.border import document
from cf_mtls.declare.document import CertificateDocument
from cf_mtls.declare.values import Domain, Hostname, Id32, Label, RuleDocument, Text
from cf_mtls.declare.yaml_text import read

LONG = ".".join(["a" * 49] * 5) + ".abc"

RIGHT: list[tuple[Any, Any, Any]] = [
    (Hostname, "a.net", "a.net"),
    (Hostname, "A.Net.", "a.net"),
    (Hostname, "*.a.net", "*.a.net"),
    (Hostname, "xn--mller-kva.example", "xn--mller-kva.example"),
    (Hostname, LONG, LONG),
    (Domain, "A.net/Path/", "a.net/Path"),
    (Domain, "a.net/", "a.net"),
    (Domain, "a.net//", "a.net"),
    (Domain, "a.net/x*/y", "a.net/x*/y"),
    (Id32, "0" * 32, "0" * 32),
    (Label, "a-1", "a-1"),
    (Text, "x", "x"),
    (RuleDocument, {"common_name": "fleet"}, {"common_name": {"common_name": "fleet"}}),
    (RuleDocument, {"certificate": None}, {"certificate": {}}),
    (RuleDocument, {"geo": "PT"}, {"geo": {"country_code": "PT"}}),
]
WRONG: list[tuple[Any, Any, str]] = [
    (Hostname, "https://a.net", "without scheme"),
    (Hostname, "a.net/x", "without scheme, port or path"),
    (Hostname, "a.net:443", "without scheme, port or path"),
    (Hostname, "a", "not a hostname"),
    (Hostname, "a..net", "not a hostname"),
    (Hostname, "-a.net", "not a hostname"),
    (Hostname, "müller.example", "xn--"),
    (Hostname, "a.net\n", "not a hostname"),
    (Hostname, f"b{LONG}", "not a hostname"),
    (Domain, "https://a.net", "without scheme"),
    (Domain, "a.net/x?y=1", "query"),
    (Domain, "a.net/x#y", "fragment"),
    (Domain, "a/x", "not a hostname"),
    (Id32, "0" * 31, "32 hexadecimal"),
    (Id32, "0" * 33, "32 hexadecimal"),
    (Id32, "0" * 32 + "\n", "32 hexadecimal"),
    (Id32, "G" * 32, "32 hexadecimal"),
    (Label, "A", "a-z"),
    (Label, "a b", "a-z"),
    (Label, "a-", "hyphens"),
    (Text, "", "at least 1"),
    (Text, 12, "put it in quotes"),
    (Text, 1.5, "put it in quotes"),
    (Text, True, "string"),
    (RuleDocument, {}, "one selector"),
    (RuleDocument, {"certificate": {}, "everyone": {}}, "one selector"),
    (RuleDocument, "certificate", "one selector"),
    (RuleDocument, {"certificat": {}}, "did you mean certificate?"),
    (RuleDocument, {"email": ""}, "names nobody"),
    (RuleDocument, {"group": {}}, "names nobody"),
    (RuleDocument, {"certificate": "x"}, "must be a mapping"),
]


@pytest.mark.parametrize(("kind", "given", "read_as"), RIGHT)
def test_what_is_right_is_read_in_one_form(kind: Any, given: Any, read_as: Any) -> None:
    """Hosts in lower case without a last dot, paths as they are without a last slash, short rules written out."""
    assert TypeAdapter(kind).validate_python(given) == read_as


@pytest.mark.parametrize(("kind", "given", "said"), WRONG)
def test_what_is_wrong_is_refused_in_words(kind: Any, given: Any, said: str) -> None:
    """Each neighbour of a right form: one character more, another scheme, a line break at the end."""
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(kind).validate_python(given)


HEAD = "version: 1\nstack: s\n"


def problems(text: str) -> list[tuple[str, str]]:
    reading = read(text, "f.yaml")
    document(reading)
    return [(d.code.code, d.place.path if d.place else "") for d in reading.diagnostics]


@pytest.mark.parametrize(("length", "right"), [(63, True), (64, False)])
def test_a_stack_is_named_within_a_label(length: int, right: bool) -> None:
    """Its name stands in every mark, so it may not grow."""
    found = problems(f"version: 1\nstack: {'a' * length}\n")
    assert found == ([] if right else [("document.invalid-value", "stack")])


@pytest.mark.parametrize("where", ["applications", "certificates", "clients", "hostname_settings", "waivers"])
def test_no_mapping_takes_a_key_that_it_does_not_know(where: str) -> None:
    """A misspelt key would be a rule that does not hold."""
    inner = {"hostname_settings": "  a.net: {colour: red}", "waivers": "  - {colour: red}"}
    found = problems(f"{HEAD}{where}:\n{inner.get(where, '  x: {colour: red}')}\n")
    assert "document.unknown-key" in {code for code, _ in found}


WHOLE = {"chain": "unknown", "associated_hostnames": ["a.net"], "id": "1", "fingerprint": "ab" * 16,
         "expires_on": "2030-01-01T00:00:00Z"}  # fmt: skip


@pytest.mark.parametrize("missing", ["id", "fingerprint", "expires_on"])
def test_an_unknown_chain_says_which_ca_it_is(missing: str) -> None:
    """By its id, and what the account shows of it: all three, and only there."""
    with pytest.raises(ValidationError, match="needs id, fingerprint and expires_on"):
        CertificateDocument.model_validate({k: v for k, v in WHOLE.items() if k != missing})
    CertificateDocument.model_validate(WHOLE)


@pytest.mark.parametrize("given", ["fingerprint", "expires_on"])
def test_a_known_chain_says_it_by_its_pem(given: str) -> None:
    """Beside a file, a fingerprint or an end that disagrees would only confuse."""
    raw = {k: v for k, v in WHOLE.items() if k in {"associated_hostnames", "id", given}}
    with pytest.raises(ValidationError, match="stand only beside"):
        CertificateDocument.model_validate({**raw, "chain": "c.pem"})
