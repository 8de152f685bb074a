"""One HTTP exchange with Cloudflare's API, through the official SDK's generic verbs.

Rules of this file:
- The only importer of `cloudflare`; never its typed resources, which cost two seconds at every start.
- It never retries and never interprets: an exchange ends in an `Answer`, or in `NoAnswer` and why.
- An answer keeps to limits (`bounds`); of a body that is not understood the reason is kept, never a part of it.
- A `Reader` can only GET; a `Writer` can do more. "plan cannot write" is a type.
- The token is held by the SDK's client alone and appears in no message.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import httpx
from cloudflare import APIConnectionError, APIStatusError, Cloudflare

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.quick import dataclass
from cf_mtls.remote import shape
from cf_mtls.remote.bounds import BeyondLimit, BoundedClient, Run
from cf_mtls.remote.shape import Misshapen

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_URL = "https://api.cloudflare.com/client/v4"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

NO_TOKEN = Code("token.missing", Severity.ERROR, Fault.INVOCATION, "there is no API token")
BAD_TOKEN = Code("token.malformed", Severity.ERROR, Fault.INVOCATION, "the API token cannot be one")
INSECURE = Code("api.insecure-url", Severity.ERROR, Fault.INVOCATION, "the token would travel unencrypted")
BAD_URL = Code("api.malformed-url", Severity.ERROR, Fault.INVOCATION, "the API's address cannot be used")

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of the envelope's `errors`."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cloudflare said. `result` is None on failure."""

    status: int
    ok: bool
    result: Any
    errors: tuple[ApiError, ...]
    result_info: Any
    """As it came: `pages` reads it."""
    ray: str
    retry_after_s: float | None
    """Seconds, from `Retry-After`; None when the header is absent."""
    remaining: int | None = None
    """Requests left in the budget, from `Ratelimit` (facts 7.5); None when it is not said."""
    renewed_s: float | None = None
    """Seconds until the budget is renewed."""
    quota: int | None = None
    """Requests in a whole budget, from `Ratelimit-Policy`."""
    strange: str = ""
    """Why the body is not understood; '' when it is."""

    def has(self, code: int) -> bool:
        """Whether an error of this code is among the errors."""
        return any(error.code == code for error in self.errors)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back, or nothing that may be read. `sent` is False when the request cannot have arrived."""

    sent: bool
    why: str
    is_beyond_limit: bool = False
    """Whether an answer was too large or too slow; then nothing is gained by asking again."""


def client_for(
    token: str | None,
    base_url: str,
    run: Run | None = None,
    transport: httpx.BaseTransport | None = None,
    *,
    is_cut: bool = True,
) -> Cloudflare:
    """An SDK client that uses this token and nothing from the environment, and does not retry.

    run: what its requests count for; None for a run of its own, which begins now. is_cut: whether the end of the run
    ends its requests. transport: for tests. Raises Failure when there is no usable token or the URL would leak it.
    """
    _check(token, base_url)
    run = run or Run()
    http = BoundedClient(
        run,
        is_cut=is_cut,
        transport=transport,
        **_way(base_url),
        timeout=httpx.Timeout(run.limits.answer_s, connect=10),
        limits=httpx.Limits(max_connections=8),
        follow_redirects=False,
    )
    client = Cloudflare(api_token=token, base_url=base_url, max_retries=0, http_client=http)
    # With an email in the environment the SDK would drop the token: facts 7.6.
    client.api_email = client.api_key = client.user_service_key = None
    return client


def _way(base_url: str) -> dict[str, Any]:
    """How an address is reached: plain http stays on this machine, so it passes no proxy and needs no CA.

    To look for the one and load the other takes longer than all requests of a small account on loopback.
    """
    if urlsplit(base_url).scheme == "https":
        return {}
    return {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


def _check(token: str | None, base_url: str) -> None:
    if not token:
        fix = "Set CLOUDFLARE_API_TOKEN. To try everything without an account:\n    cf-mtls demo"
        raise Failure([NO_TOKEN.found("CLOUDFLARE_API_TOKEN is not set.", fix)])
    if not token.isascii() or not token.isprintable() or " " in token:
        detail = "It holds characters that no token has, such as a space or a line break."
        raise Failure([BAD_TOKEN.found(detail, "Copy it again from the dashboard.")])
    url = urlsplit(base_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Failure(
            [BAD_URL.found(f"{base_url} is not an http or https URL.", "Mend CLOUDFLARE_BASE_URL.")]
        )
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        detail = f"{base_url} is plain http and not this machine. Nothing was sent."
        raise Failure([INSECURE.found(detail, "Use https in CLOUDFLARE_BASE_URL.")], Exit.REFUSED)


class Reader:
    """Can only GET."""

    def __init__(self, client: Cloudflare) -> None:
        """client: as `client_for` makes it."""
        self._client = client

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer | NoAnswer:
        """One GET. path: beginning with a slash, below the base URL."""
        return self._exchange("GET", path, query=query)

    def _exchange(
        self, method: Method, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        options: Any = {"params": dict(query or {})}
        verbs: Mapping[Method, Any] = {
            "GET": lambda: self._client.get(path, cast_to=httpx.Response, options=options),
            "POST": lambda: self._client.post(path, cast_to=httpx.Response, body=body, options=options),
            "PUT": lambda: self._client.put(path, cast_to=httpx.Response, body=body, options=options),
            "DELETE": lambda: self._client.delete(path, cast_to=httpx.Response, options=options),
        }
        try:
            return answer(verbs[method]())
        except APIStatusError as error:
            return answer(error.response)
        except APIConnectionError as error:  # timeouts are of this class too
            cause = error.__cause__ or error
            if isinstance(cause, BeyondLimit):
                return NoAnswer(cause.sent, str(cause), is_beyond_limit=True)
            sent = not isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout))
            return NoAnswer(sent, f"{type(cause).__name__}: {cause}")


class Writer(Reader):
    """Can do everything."""

    def post(self, path: str, body: Any) -> Answer | NoAnswer:
        """One POST."""
        return self._exchange("POST", path, body)

    def put(self, path: str, body: Any) -> Answer | NoAnswer:
        """One PUT."""
        return self._exchange("PUT", path, body)

    def delete(self, path: str) -> Answer | NoAnswer:
        """One DELETE."""
        return self._exchange("DELETE", path)


def answer(response: httpx.Response) -> Answer:
    """The envelope of a response; 200 with `success: false` is a failure, and so is what is not JSON."""
    envelope, strange = _envelope(response)
    success = response.is_success and envelope.get("success") is True
    if response.is_success and not strange and not isinstance(envelope.get("success"), bool):
        strange = "success is neither true nor false"
    return Answer(
        response.status_code,
        success,
        envelope.get("result") if success else None,
        tuple(_errors(envelope)),
        envelope.get("result_info"),
        response.headers.get("cf-ray", "")[:100],
        _seconds(response.headers.get("retry-after")),
        *_budget(response.headers.get("ratelimit", ""), response.headers.get("ratelimit-policy", "")),
        strange,
    )


def misunderstood(found: Answer, error: Misshapen) -> Answer:
    """The same answer as one that is not understood, and why."""
    return replace(found, ok=False, result=None, strange=str(error))


def _envelope(response: httpx.Response) -> tuple[dict[str, Any], str]:
    """The members of the envelope, and why it is not understood, '' when it is."""
    if response.has_redirect_location:
        return {}, f"the answer leads to {response.headers['location'][:200]!r}, which is not followed"
    try:
        return shape.an_object(shape.parsed(response.content)), ""
    except Misshapen as error:
        return {}, str(error)


def _errors(envelope: dict[str, Any]) -> list[ApiError]:
    """What the envelope says went wrong; what has another shape than an error is passed over, the status remains."""
    raw = envelope.get("errors")
    entries = [e for e in raw[:MOST_ERRORS] if isinstance(e, dict)] if isinstance(raw, list) else []
    return [ApiError(_number(e.get("code")), _text(e.get("message"))) for e in entries]


MOST_ERRORS, LONGEST_MESSAGE = 20, 1000
"""What is kept of an envelope's errors, each cut at so many characters."""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value[:LONGEST_MESSAGE] if isinstance(value, str) else ""


_RATELIMIT = re.compile(r"\"([^\"]*)\"\s*;\s*r=([0-9]{1,9})\s*;\s*t=([0-9]{1,9})(?![0-9])")
_POLICY = re.compile(r"\"([^\"]*)\"\s*;\s*q=([0-9]{1,9})(?![0-9])")
_SECONDS = re.compile(r"[0-9]{1,9}")


def _budget(header: str, policy: str) -> tuple[int | None, float | None, int | None]:
    """What is left, for how long, and of how many, from such as `"default";r=50;t=30`; of several the tightest."""
    found = [(int(left), float(seconds), name) for name, left, seconds in _RATELIMIT.findall(header)]
    if not found:
        return None, None, None
    left, seconds, name = min(found)
    quotas = {named: int(quota) for named, quota in _POLICY.findall(policy)}
    return left, seconds, quotas.get(name, min(quotas.values(), default=None))


def _seconds(header: str | None) -> float | None:
    return float(header) if header and _SECONDS.fullmatch(header) else None
