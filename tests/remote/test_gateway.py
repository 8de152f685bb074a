"""One exchange with the API: what is sent, and what becomes of every kind of answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Exit, Failure, Fault
from cf_mtls.remote.errors import failure
from cf_mtls.remote.gateway import Answer, NoAnswer, Reader, client_for
from tests.remote.fakes import ACCOUNT, BASE, TOKEN, Fake, ok, refused

CONFLICT = "access.api.error.conflict: "
PATH = f"/accounts/{ACCOUNT}/access/certificates"


def test_only_the_token_is_sent_whatever_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an email in the environment the SDK alone would drop the token."""
    monkeypatch.setenv("CLOUDFLARE_EMAIL", "someone@example.com")
    monkeypatch.setenv("CLOUDFLARE_API_KEY", "key")
    headers: list[httpx.Headers] = []

    def reply(request: httpx.Request, _: int) -> httpx.Response:
        headers.append(request.headers)
        return ok([])

    Fake(reply).writer().get(PATH)
    assert headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert "x-auth-email" not in headers[0]
    assert "x-auth-key" not in headers[0]


def test_an_exchange_is_one_request() -> None:
    """The SDK's own retries are off: a 409 costs one request, not three."""
    fake = Fake(lambda *_: refused(409, 11010, "access.api.error.application_already_exists"))
    outcome = fake.writer().post(PATH, {})
    assert isinstance(outcome, Answer)
    assert (outcome.status, outcome.ok, outcome.has(11010), len(fake.seen)) == (409, False, True, 1)


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.ReadError("reset"), True),
        (httpx.ReadTimeout("slow"), True),
        (httpx.RemoteProtocolError("half an answer"), True),
    ],
)
def test_no_answer_says_whether_the_request_may_have_arrived(reply: Exception, sent: bool) -> None:
    """Only a failed connection is certain not to have changed anything."""
    outcome = Fake(lambda *_: reply).writer().post(PATH, {})
    assert isinstance(outcome, NoAnswer)
    assert outcome.sent is sent


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(
            200, json={"success": False, "errors": [{"code": 1000, "message": "no"}], "result": []}
        ),
        httpx.Response(200, text="<html>welcome</html>"),
        httpx.Response(200, json=["not", "an", "envelope"]),
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
    ],
)
def test_what_is_not_a_successful_envelope_is_a_failure(response: httpx.Response) -> None:
    """A 200 with success false, HTML, another shape, and a redirect: none of them is read as a result."""
    outcome = Fake(lambda *_: response).writer().get(PATH)
    assert isinstance(outcome, Answer)
    assert (outcome.ok, outcome.result) == (False, None)


def test_a_reader_can_only_get() -> None:
    """Plan and drift are handed a reader; it has no way to write."""
    assert not [name for name in ("post", "put", "delete") if hasattr(Reader, name)]


@pytest.mark.parametrize(
    ("token", "base_url", "code"),
    [
        (None, BASE, "token.missing"),
        ("", BASE, "token.missing"),
        ("two words", BASE, "token.malformed"),
        ("line\n", BASE, "token.malformed"),
        (TOKEN, "http://api.example.com/client/v4", "api.insecure-url"),
        (TOKEN, "http://127.0.0.1.example.com/", "api.insecure-url"),
        (TOKEN, "ftp://127.0.0.1/", "api.malformed-url"),
        (TOKEN, "localhost:1234", "api.malformed-url"),
    ],
)
def test_a_token_never_leaves_where_it_must_not(token: str | None, base_url: str, code: str) -> None:
    """No token, no token's shape, plain http to anywhere but this machine: refused before anything is sent."""
    fake = Fake(lambda *_: ok([]))
    with pytest.raises(Failure) as caught:
        client_for(token, base_url, transport=httpx.MockTransport(fake))
    assert [d.code.code for d in caught.value.diagnostics] == [code]
    assert fake.seen == []
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/client/v4", "http://localhost:1", "http://[::1]:1"])
def test_plain_http_to_this_machine_is_allowed(url: str) -> None:
    """The emulator speaks plain http on loopback."""
    client_for(TOKEN, url, transport=httpx.MockTransport(Fake(lambda *_: ok([])))).close()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (refused(403, 10000, "Authentication error"), "api.permission-missing", "Mutual TLS Certificates"),
        (refused(403, 9109, "Unauthorized"), "api.permission-missing", "Mutual TLS Certificates"),
        (refused(401, 1000, "Invalid API Token"), "api.token-refused", "CLOUDFLARE_API_TOKEN"),
        (refused(400, 6003, "Invalid request headers"), "api.token-refused", "CLOUDFLARE_API_TOKEN"),
        (
            refused(
                400,
                12130,
                "access.api.error.invalid_request: maximum number of certificates has been reached",
            ),
            "api.no-more-certificates",
            "does not include Access mutual TLS",
        ),
        (refused(400, 12130, "access.api.error.invalid_request: something"), "api.refused", "something"),
        (refused(400, 12036, "hostnames_must_belong_to_your_domain"), "api.hostname-not-yours", "zone"),
        (refused(409, 11010, "application_already_exists"), "api.domain-taken", "--adopt"),
        (
            refused(409, 12132, CONFLICT + "destination belongs to another application"),
            "api.domain-taken",
            "--adopt",
        ),
        (
            refused(400, 12132, CONFLICT + "certificate already exists"),
            "api.certificate-exists",
            "cf-mtls show",
        ),
        (
            refused(409, 12132, CONFLICT + "certificate has active associations"),
            "api.still-associated",
            "minute",
        ),
        (
            refused(400, 12132, "access.api.error.certificate_has_active_associations"),
            "api.still-associated",
            "minute",
        ),
        (
            refused(409, 12132, CONFLICT + "previous certificate settings still being updated"),
            "api.conflict",
            "minute",
        ),
        (refused(409, 1, "previous certificate settings still being updated"), "api.conflict", "minute"),
        (refused(409, 12132, CONFLICT + "something new"), "api.other-conflict", "something new"),
        (refused(409, 0, "something new"), "api.other-conflict", "something new"),
        (refused(403, 9999, "access.api.error.not_enabled"), "api.access-not-enabled", "Zero Trust"),
        (refused(400, 7003, "Could not route"), "api.no-route", "account_id"),
        (refused(429, 971, "Please wait"), "api.throttled", "five minutes"),
        (httpx.Response(503, text="<html>"), "api.failing", "503"),
        (httpx.Response(429, text="<html>"), "api.throttled", "five minutes"),
        (httpx.Response(200, text="<html>"), "api.strange-answer", "is not JSON; it begins with '<html>'"),
        (httpx.Response(403, text="<html>"), "api.strange-answer", "proxy"),
        (httpx.Response(200), "api.strange-answer", "it is empty"),
        (httpx.Response(200, json={"result": []}), "api.strange-answer", "success is neither true nor false"),
        (httpx.Response(200, json={"success": "yes"}), "api.strange-answer", "success"),
        (
            httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
            "api.strange-answer",
            "elsewhere",
        ),
    ],
)
def test_a_refusal_is_translated(answer: httpx.Response, code: str, said: str) -> None:
    """The API's code and words and the ray are kept; the likely cause and the next thing to do are added."""
    outcome = Fake(lambda *_: answer).writer().get(PATH)
    (found,) = failure(outcome, "reading", PATH).diagnostics
    assert found.code.code == code
    assert said in found.detail + found.fix
    assert str(answer.status_code) in found.detail


def test_an_answer_that_is_not_understood_is_cloudflares_fault_and_not_the_accounts() -> None:
    """HTML with status 200 was *Cloudflare refused*, to be mended in the account."""
    outcome = Fake(lambda *_: httpx.Response(200, text="<html>welcome</html>")).writer().get(PATH)
    (found,) = failure(outcome, "reading", PATH).diagnostics
    assert found.code.summary == "Cloudflare's answer is not understood"
    assert found.code.fault is Fault.CLOUDFLARE
    assert PATH in found.detail


@pytest.mark.parametrize(
    ("headers", "retry_after", "left"),
    [
        ({"retry-after": "²"}, None, None),
        ({"retry-after": "9" * 5000}, None, None),
        ({"retry-after": "-1"}, None, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, None),
        ({"retry-after": "30"}, 30.0, None),
        ({"ratelimit": '"d";r=' + "9" * 5000 + ";t=1"}, None, None),
        ({"ratelimit": '"d";r=5;t=' + "9" * 5000}, None, None),
        ({"ratelimit": '"d";r=²;t=1'}, None, None),
        ({"ratelimit": '"d";r=5;t=1', "ratelimit-policy": '"d";q=' + "9" * 5000}, None, 5),
        ({"content-type": "application/json; charset=zlib"}, None, None),
        ({"content-type": "application/json; charset=utf-7"}, None, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_header_that_is_none_is_passed_over(
    headers: dict[str, str], retry_after: float | None, left: int | None, status: int
) -> None:
    """Digits that are no digits, thousands of them, a charset that is no text's: the answer is read all the same."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    body = b'{"success": true, "result": []}'
    outcome = Fake(lambda *_: httpx.Response(status, headers=raw, content=body)).writer().get(PATH)
    assert isinstance(outcome, Answer)
    assert (outcome.ok, outcome.retry_after_s, outcome.remaining) == (status == 200, retry_after, left)


def test_the_exit_code_of_an_insecure_url_is_refused() -> None:
    """A safety refusal is 4, as every other one."""
    with pytest.raises(Failure) as caught:
        client_for(TOKEN, "http://api.example.com")
    assert caught.value.exit_code is Exit.REFUSED


@pytest.mark.parametrize(
    ("url", "pool"), [("http://127.0.0.1:1/client/v4", "ConnectionPool"), (BASE, "HTTPProxy")]
)
def test_what_goes_to_this_machine_passes_no_proxy(
    url: str, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rehearsal reaches the emulator whatever proxy the environment names; Cloudflare is reached through it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.invalid:1")
    with client_for(TOKEN, url) as client:
        transport: Any = client._client._transport_for_url(httpx.URL(url))
        assert type(transport._pool).__name__ == pool


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ('"a";r=50;t=30', 50),
        ('"a";r=50;t=30, "b";r=5;t=10', 5),
        ('"a";r=5;t=30, "b";r=50;t=10', 5),
        ("", None),
        ("x", None),
    ],
)
def test_of_several_budgets_the_tightest_counts(header: str, left: int | None) -> None:
    """Whichever stands first."""
    outcome = Fake(lambda *_: ok([], ratelimit=header)).writer().get(PATH)
    assert isinstance(outcome, Answer)
    assert outcome.remaining == left
