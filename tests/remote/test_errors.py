"""Cloudflare's refusals in words: which code each becomes, with what is said and what to do."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Diagnostic
from cf_mtls.remote.errors import failure
from tests.remote.fakes import Fake, Reply, refused

HTML = httpx.Response(502, text="<html>bad gateway</html>")


def told(reply: Reply, path: str = "/accounts/x/access/apps") -> Diagnostic:
    """What becomes of a reply that is no success."""
    outcome: Any = Fake(lambda *_: reply).writer().get(path)
    (found,) = failure(outcome, "reading it", path).diagnostics
    return found


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refused(401, 1000, "Invalid API Token"), "api.token-refused"),
        (refused(400, 6003, "Invalid request headers"), "api.token-refused"),
        (refused(403, 10000, "Authentication error"), "api.permission-missing"),
        (refused(404, 7003, "Could not route to /accounts/x"), "api.no-route"),
        (refused(403, 9999, "access.api.error.not_enabled"), "api.access-not-enabled"),
        (refused(400, 12130, "access.api.error.invalid_request: maximum number of certificates reached"),
         "api.no-more-certificates"),
        (refused(400, 12130, "access.api.error.invalid_request: hostname a.net is on another certificate"),
         "api.hostname-on-another-ca"),
        (refused(400, 12036, "access.api.error.zone_not_found"), "api.hostname-not-yours"),
        (refused(409, 11010, "access.api.error.application_already_exists"), "api.domain-taken"),
        (refused(409, 12132, "access.api.error.certificate_has_active_associations"), "api.still-associated"),
        (refused(409, 0, "access.api.error.conflict: previous certificate settings still being updated"),
         "api.conflict"),
        (refused(429, 971, "Please wait"), "api.throttled"),
        (refused(400, 10001, "something new"), "api.refused"),
        (refused(500, 0, "oops"), "api.failing"),
        (HTML, "api.failing"),
        (httpx.ConnectError("refused"), "api.unreachable"),
        (httpx.ReadError("lost"), "api.answer-lost"),
    ],
)  # fmt: skip
def test_every_refusal_has_its_code_and_keeps_the_words(reply: Reply, code: str) -> None:
    """An error each; what Cloudflare said and the ray are in it, and something to do."""
    found = told(reply)
    assert (found.code.code, found.is_error) == (code, True)
    assert found.fix or code == "api.refused"
    if isinstance(reply, httpx.Response) and reply is not HTML:
        said = reply.json()["errors"][0]["message"]
        assert said in found.detail
        assert "abc-FAKE" in found.detail


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/accounts/x/access/certificates", "Mutual TLS Certificates"),
        ("/zones/x/access/apps/1", "Apps and Policies"),
        ("/accounts/x/access/policies", "Apps and Policies"),
        ("/accounts/x/access/groups", "Groups"),
    ],
)
def test_a_missing_permission_is_named(path: str, name: str) -> None:
    """By the path that needs it."""
    assert name in told(refused(403, 10000, "Authentication error"), path).fix
