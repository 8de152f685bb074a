"""Where a CI job comes from: a fork's pull request has no secrets, and that is nobody's mistake.

Rules of this file:
- Pure: the event, as GitHub writes it into a file, comes in as data; it is untrusted and may have any shape.
- What is not known to be a fork's is not one: its missing token is an error like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.diagnostics import Diagnostic

FORK = Code("ci.fork", Severity.ERROR, Fault.INVOCATION, "a pull request from a fork cannot ask the account")


def is_from_fork(event: Any) -> bool:
    """Whether the event is a pull request whose branch lives in another repository (or in one that is gone)."""
    pull = _member(event, "pull_request")
    if not pull:
        return False
    head, base = (_member(_member(pull, side), "repo") for side in ("head", "base"))
    return not head or head.get("full_name") != base.get("full_name")


def _member(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def kept_out() -> Diagnostic:
    """What is said about each file of a fork's pull request."""
    return FORK.found(
        "GitHub gives the secrets of this repository to no pull request from a fork, so there is no token"
        " here, and no client's key."
        " The plan file is valid; whether the account is as it says is not known here.",
        "Nothing is wrong with the pull request. The files can be checked without a token:\n"
        "    cf-mtls validate\n"
        "The account is checked once it is merged; never with pull_request_target, which gives a fork the secrets.",
    )


def is_only_kept_out(stack: Mapping[str, Any]) -> bool:
    """Whether all that keeps a stack of a report from being checked is that the pull request is a fork's."""
    unchecked = [f["address"] for f in stack["findings"] if f["class"] == "could-not-check"]
    return bool(unchecked) and set(unchecked) == {FORK.code}
