"""Every member of every kind of answer, with every wrong value in its place: understood, or named with its path."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.model.state import State
from cf_mtls.remote import doctor
from cf_mtls.remote.account_checks import CHECKS
from cf_mtls.remote.diagnosis import diagnose
from cf_mtls.remote.findings import Declared
from cf_mtls.remote.snapshot import read
from tests.conftest import Counted
from tests.fuzz.readers import ANSWERS, NOW, SCOPE, Said, envelope, unhurried
from tests.planning.worlds import BUDGET

WRONG = ("null", "true", "-1", "1e400", "9" * 5000, "1.5", '""', '"²"', '"\\ud800"', "[]", "[null]", "{}", '"../x"',
         "[" * 2500 + "]" * 2500, '"9999-12-31T23:59:59-23:59"', '"10000-01-01T00:00:00Z"', '"2030-01-01"',
         '"' + "x" * 5000 + '"')  # fmt: skip
"""JSON texts that stand in the place of a member."""

READ = ("/access/certificates", "/access/certificates/settings", "/access/apps", "/access/policies", "/access/groups",
        "/zones", "/access/organizations")  # fmt: skip
MARK = "cf-mtls-here"


def slots(value: Any, path: str = "") -> Iterator[str]:
    """The path of every member of a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if "." in name:
                continue
            yield f"{path}.{name}".lstrip(".")
            yield from slots(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]"
            yield from slots(inner, f"{path}[{index}]")


def put(value: Any, path: str, text: str) -> bytes:
    """The JSON of a value with another text at a path."""
    made = copy.deepcopy(value)
    at, steps = made, re.findall(r"[^.\[\]]+(?=[.\[]|$)|(?<=\[)\d+(?=\])", path)
    for step in steps[:-1]:
        at = at[int(step)] if isinstance(at, list) else at[step]
    last = steps[-1]
    at[int(last) if isinstance(at, list) else last] = MARK
    return json.dumps(made).replace(json.dumps(MARK), text).encode()


def wrongs(good: Any, most: int) -> list[tuple[str, str]]:
    """Every member with every wrong value; in the quick run at most so many of them, the same ones each time."""
    every = [(path, text) for path in slots(good) for text in WRONG]
    return every if BUDGET > 1 or len(every) <= most else Random(5).sample(every, most)


@pytest.mark.parametrize("kind", READ)
def test_every_member_is_understood_or_named(kind: str, counted: Counted) -> None:
    """Never another exception; what is not understood names the request, and the member where it has one."""
    good, named, understood = envelope(ANSWERS[kind]), 0, 0
    for path, text in wrongs(good, 400):
        try:
            read(Said(kind, put(good, path, text)), SCOPE, unhurried(), {"a.net"})
            understood += 1
        except Failure as failed:
            (found,) = failed.diagnostics
            assert found.code.code in {"api.strange-answer", "api.incomplete-list", "api.refused"}, (
                path,
                text,
            )
            assert kind in found.detail, (path, text, found.detail)
            assert "cannot be read" not in found.detail, (path, text, found.detail)
            last = re.sub(r"(\[\d+\])+$", "", path).rpartition(".")[2]
            named += last.partition("[")[0] in found.detail
    counted(f"{kind}: {understood} wrong values understood or passed over, {named} named")
    assert named > 0 or kind == "/access/organizations"


NINE = {
    "deep nesting": ("/access/apps", "result[0].policies[0].include", "[" * 2500 + "]" * 2500, "nests deeper"),
    "result_info no object": ("/access/apps", "result_info", "[]", "result_info is a list, not an object"),
    "a rate limit": ("/access/apps", "result_info.total_pages", "9" * 5000, "5000 digits"),
    "a date": ("/access/certificates", "result[0].expires_on", '"10000-01-01T00:00:00Z"', "[0].expires_on"),
    "precedence": ("/access/apps", "result[0].policies[0].precedence", "1e400", "1e400"),
    "decision": ("/access/apps", "result[0].policies[0].decision", "[]", "[0].policies[0].decision is a list"),
    "id": ("/access/apps", "result[0].id", '["x"]', "[0].id is a list"),
    "name": ("/access/apps", "result[0].name", "5", "[0].name is a number, not a text"),
    "a count below nothing": ("/access/apps", "result_info.total_count", "-1", "result_info.total_count is -1"),
    "an id that leads elsewhere": ("/access/apps", "result[0].id", '"../../zones/z"', "[0].id is not an id"),
    "no id": ("/access/policies", "result[0].id", "null", "[0]"),
    "half a character": ("/access/apps", "result[0].name", '"\\ud800"', "surrogate"),
    "no list": ("/access/groups", "result", "{}", "is an object, not a list"),
    "no text in a list": ("/access/certificates", "result[0].associated_hostnames", "[5]", "associated_hostnames[0]"),
    "a rule that is none": ("/access/groups", "result[0].include", '["everyone"]', "[0].include[0] is a text"),
    "a name without end": ("/access/apps", "result[0].name", '"' + "x" * 5000 + '"', "[0].name has 5000 characters"),
}  # fmt: skip


@pytest.mark.parametrize("case", NINE)
def test_the_path_and_the_member_are_said(case: str) -> None:
    """The shapes that ended as a bug, and their neighbours."""
    kind, path, text, said = NINE[case]
    with pytest.raises(Failure) as caught:
        read(Said(kind, put(envelope(ANSWERS[kind]), path, text)), SCOPE, unhurried(), {"a.net"})
    (found,) = caught.value.diagnostics
    assert found.code.summary == "Cloudflare's answer is not understood"
    assert said in found.detail
    assert kind in found.detail


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_doctor_understands_or_says_what_it_does_not(kind: str) -> None:
    """A check whose answer is not understood is a finding with the member, never a guess and never a bug."""
    good = envelope(ANSWERS[kind])
    for path, text in wrongs(good, 120):
        readings = doctor.read(Said(kind, put(good, path, text)), SCOPE, "cfat_x", {"a.net"})
        assert len(diagnose(readings, Declared("s", State(), NOW))) >= len(CHECKS) - 2


@pytest.mark.parametrize(
    ("kind", "path", "text", "member"),
    [
        ("/tokens/verify", "result.expires_on", '"soon"', "result.expires_on"),
        ("/zones", "result[0].name", "null", "result[0].name"),
        ("/dns_records", "result[0].type", "[]", "result[0].type"),
        ("/access/certificates", "result[0].associated_hostnames", "5", "result[0].associated_hostnames"),
    ],
)
def test_the_doctor_names_the_member(kind: str, path: str, text: str, member: str) -> None:
    """In the words that every other verb uses."""
    readings = doctor.read(Said(kind, put(envelope(ANSWERS[kind]), path, text)), SCOPE, "cfat_x", {"a.net"})
    said = [f.said for f in diagnose(readings, Declared("s", State(), NOW))]
    assert any("is not understood" in s and member in s for s in said)
