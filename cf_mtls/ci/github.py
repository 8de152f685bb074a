"""GitHub's API, as little of it as issues and comments need.

Rules of this file:
- The only importer of `httpx` in this room; the token is in one header and in no message.
- It never retries: the next run of the check does.
- Only loopback may be plain http.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = Code("ci.github", Severity.ERROR, Fault.INVOCATION, "GitHub did not do it")
UNUSABLE = Code("ci.github-settings", Severity.ERROR, Fault.INVOCATION, "GitHub cannot be asked")

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

PER_PAGE = 100
PAGES = 50
"""Pages of a list that are read at most."""


@dataclass(frozen=True, slots=True)
class Post:
    """An issue, or a comment: its number or id, who wrote it, its text; `is_open` is for issues."""

    id: int
    author: str
    body: str
    is_open: bool = True
    url: str = ""


class GitHub:
    """The issues and comments of one repository."""

    def __init__(
        self, token: str, base_url: str, repository: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        """base_url: as GITHUB_API_URL; repository: owner/name; transport: other than the network.

        Raises Failure when they cannot be used.
        """
        url = urlsplit(base_url)
        secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
        if not token or not secure or repository.count("/") != 1:
            detail = (
                "GITHUB_TOKEN, GITHUB_API_URL (https) and GITHUB_REPOSITORY (owner/name) must all be set."
            )
            raise Failure([UNUSABLE.found(detail)])
        headers = {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}
        self._client = httpx.Client(
            base_url=base_url, headers=headers, timeout=30, follow_redirects=False, transport=transport
        )
        self._repository = f"/repos/{repository}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def issues(self, label: str) -> list[Post]:
        """Every issue with this label, open or closed; pull requests left out."""
        raws = self._list("/issues", {"labels": label, "state": "all"})
        return [_post(raw, "number") for raw in raws if "pull_request" not in raw]

    def create(self, title: str, body: str, labels: list[str]) -> Post:
        """A new issue."""
        return _post(
            self._send("POST", "/issues", {"title": title, "body": body, "labels": labels}), "number"
        )

    def edit(self, number: int, changes: dict[str, str]) -> None:
        """An issue with another `body` or `state`."""
        self._send("PATCH", f"/issues/{number}", changes)

    def comments(self, number: int) -> list[Post]:
        """The comments of an issue or pull request."""
        return [_post(raw, "id") for raw in self._list(f"/issues/{number}/comments", {})]

    def comment(self, number: int, body: str) -> None:
        """A new comment."""
        self._send("POST", f"/issues/{number}/comments", {"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        """A comment with another text."""
        self._send("PATCH", f"/issues/comments/{comment}", {"body": body})

    def _list(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        for page in range(1, PAGES + 1):
            found = self._send("GET", path, None, {**query, "per_page": str(PER_PAGE), "page": str(page)})
            yield from found
            if len(found) < PER_PAGE:
                return

    def _send(self, method: str, path: str, body: Any, query: dict[str, str] | None = None) -> Any:
        try:
            answer = self._client.request(method, self._repository + path, json=body, params=query)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPStatusError as error:
            why = f"{method} {path} answered {error.response.status_code}"
        except (httpx.HTTPError, ValueError) as error:
            why = f"{method} {path}: {type(error).__name__}"
        fix = "Give the job `issues: write` (for comments `pull-requests: write`) and GITHUB_TOKEN."
        raise Failure([REFUSED.found(f"{why}.", fix)])


def _post(raw: dict[str, Any], identity: str) -> Post:
    author = (raw.get("user") or {}).get("login") or ""
    return Post(
        int(raw[identity]), author, raw.get("body") or "", raw.get("state", "open") == "open",
        raw.get("html_url") or "",
    )  # fmt: skip
