"""When the token ends: what the two verify paths say, and what is made of silence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Diagnostic
from cf_mtls.model.resources import Scope
from cf_mtls.remote.token_end import token_ends
from tests.remote.fakes import ACCOUNT, Fake, FakeTime, Reply, ok, refused

OWN, USER = f"/accounts/{ACCOUNT}/tokens/verify", "/user/tokens/verify"
NOT_KNOWN = refused(401, 1000, "Invalid API Token")
END = ok({"id": "1", "status": "active", "expires_on": "2027-01-31T08:00:00+01:00"})


def asked(kind: str, replies: dict[str, Reply]) -> tuple[Any, list[str]]:
    def reply(request: httpx.Request, _: int) -> Reply:
        return replies[request.url.path.removeprefix("/client/v4")]

    fake = Fake(reply)
    found = token_ends(fake.writer(), Scope(kind, ACCOUNT), FakeTime().pace())  # type: ignore[arg-type]
    return found, [path for _, path, _ in fake.seen]


@pytest.mark.parametrize(
    ("kind", "replies", "paths"),
    [
        ("account", {OWN: END}, [OWN]),
        ("account", {OWN: NOT_KNOWN, USER: END}, [OWN, USER]),
        ("zone", {USER: END}, [USER]),
    ],
)
def test_an_accounts_token_is_asked_for_first_and_then_a_users(
    kind: str, replies: dict[str, Reply], paths: list[str]
) -> None:
    """The end in UTC, from whichever path knows the token; of a zone only the user's is there."""
    assert asked(kind, replies) == (datetime(2027, 1, 31, 7, tzinfo=UTC), paths)


@pytest.mark.parametrize("result", [{}, {"expires_on": None}])
def test_a_token_without_an_end_has_none(result: dict[str, Any]) -> None:
    """Absent and null are the same: it does not end."""
    assert asked("account", {OWN: ok(result)})[0] is None


@pytest.mark.parametrize(
    "reply",
    [
        NOT_KNOWN,
        refused(403, 9109, "Unauthorized"),
        ok([]),
        ok({"expires_on": "soon"}),
        ok({"expires_on": 17}),
        ok({"expires_on": "9999-12-31T23:59:59-23:59"}),
        httpx.Response(200, text="<html>"),
        httpx.ConnectError("no"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_more(reply: Reply) -> None:
    """A refusal, no time, no JSON, no answer: a warning with its code, never an error and never "it does not end"."""
    found, _ = asked("account", {OWN: reply, USER: reply})
    assert isinstance(found, Diagnostic)
    assert (found.code.code, found.is_error) == ("drift.token-end", False)
