"""`validate` says where a file demands that a client get in and refuses it by itself; no account is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cf_mtls import workflow
from cf_mtls.declare.example import GEORGETOWN, URL
from cf_mtls.diagnostics import Failure
from cf_mtls.pki.authority import root
from tests.conftest import Pki

PLAN = "plans/georgetown.yaml"
NOW = datetime.now(UTC)
NAMED = (
    "malaysia\n    policies:\n      - {name: p, include: [{certificate: }], require: [{common_name: mary}]}\n"
)
OTHER_CA = ("certs/certchain.pem ", "certs/other.pem ")
UNKNOWN = (
    "certs/certchain.pem        # root and intermediates, any order",
    (
        "unknown\n    id: f174e90a-fafe-4643-bbbc-4a0ed4fc8415\n    fingerprint: 2c1e800fd0f24c02b1a7a3d8c0d5ee11\n"
        "    expires_on: 2031-01-31T00:00:00Z"
    ),
)
EXPECT = ("expect: allowed", f"expect: {{{URL}: allowed}}")


@pytest.mark.parametrize(
    ("edits", "refused"),
    [
        ([], False),
        ([OTHER_CA], True),
        ([OTHER_CA, EXPECT], True),
        ([OTHER_CA, (", expect: allowed", "")], False),
        ([OTHER_CA, ("expect: allowed", "expect: refused")], False),
        ([("malaysia\n", NAMED)], True),
        ([UNKNOWN], False),
        ([UNKNOWN, ("malaysia\n", NAMED)], True),
    ],
)
def test_a_demand_that_the_file_itself_refuses_is_an_error(
    folder: Path, edits: list[tuple[str, str]], refused: bool
) -> None:
    """Another CA, or another's name: with its place; not where nobody knows what a CA holds, nor without a demand."""
    text = GEORGETOWN
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / PLAN).write_text(text, "utf-8")
    (folder / "plans/certs/other.pem").write_text(root("Other Root", now=NOW).chain.pem, "ascii")
    if not refused:
        workflow.validate_alone(folder / PLAN, NOW)
        return
    with pytest.raises(Failure) as caught:
        workflow.validate_alone(folder / PLAN, NOW)
    (found,) = (d for d in caught.value.diagnostics if d.is_error)
    assert found.code.code == "plan.expect-impossible"
    assert found.place is not None
    line = (folder / PLAN).read_text("utf-8").splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 :].startswith(("allowed", "{https"))


def test_a_client_that_no_ca_could_let_in_is_no_contradiction(folder: Path, pki: Pki) -> None:
    """Expired: a warning as ever, so that the file can still be applied."""
    over = pki.clients.issue("jean", now=NOW, not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    (folder / "plans/certs/clientcert.pem").write_text(over.certificate_pem, "ascii")
    (folder / "plans/certs/clientcert.key").write_text(over.key_pem, "ascii")
    found = workflow.validate_alone(folder / PLAN, NOW).diagnostics
    assert "client.would-be-refused" in {d.code.code for d in found}


def test_a_hostname_without_a_ca_in_the_file_is_not_decided(folder: Path) -> None:
    """The account may have one there, of another file."""
    stack = workflow.validate(folder / PLAN, NOW)
    elsewhere = stack.state.put(next(a for a in stack.state if str(a).startswith("certificate/")), None)
    assert workflow.contradictions(replace(stack, state=elsewhere)) == ()
