"""What the API says: envelopes, pages, and one constructor for each kind of error.

Rules of this file:
- The wire name of each problem is written here once, with its source.
- A handler raises `ApiError`; everything else it raises is a bug of ours.

Source: facts: cloudflare-api 3.5, 7.3, 7.4.
"""

from __future__ import annotations

from typing import Any

from cf_mtls.emulator.http import Answer, encoded

JSON = ("content-type", "application/json; charset=UTF-8")
ACCESS = "access.api.error."


class ApiError(Exception):
    """An error envelope: HTTP status, Cloudflare's code and message."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        """more: further members of the error, such as error_chain."""
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def answer(self) -> Answer:
        """The envelope as an answer."""
        error = {"code": self.code, "message": self.message, **self.more}
        body = {"success": False, "errors": [error], "messages": [], "result": None}
        return Answer(self.status, (JSON,), encoded(body))


def reply(
    result: Any, status: int = 200, *, info: dict[str, int] | None = None, messages: Any = ()
) -> Answer:
    """A success envelope. info: result_info of a page."""
    body: dict[str, Any] = {
        "success": True, "errors": [], "messages": list(messages), "result": result,
    }  # fmt: skip
    if info is not None:
        body["result_info"] = info
    return Answer(status, (JSON,), encoded(body))


def invalid(why: str) -> ApiError:
    """Access's generic validation error."""
    return ApiError(400, 12130, f"{ACCESS}invalid_request: {why}")


def quota_reached() -> ApiError:
    """No entitlement, or fifty certificates: the same words (facts 1.6)."""
    return invalid("maximum number of certificates has been reached")


def active_associations(status: int) -> ApiError:
    """A certificate cannot go while hostnames are associated (facts 1.8)."""
    return ApiError(status, 12132, f"{ACCESS}certificate_has_active_associations")


def foreign_hostname(status: int) -> ApiError:
    """A hostname that is in none of the zones (facts 1.7)."""
    return ApiError(status, 12036, f"{ACCESS}hostnames_must_belong_to_your_domain")


def certificate_exists(code: int) -> ApiError:
    """The same CA again (facts 1.7)."""
    return ApiError(409, code, f"{ACCESS}certificate_already_exists: Certificate already exists")


def settings_busy(code: int) -> ApiError:
    """A settings PUT while the one before is under way (facts 2)."""
    return ApiError(409, code, f"{ACCESS}conflict: previous certificate settings still being updated")


def application_exists() -> ApiError:
    """The domain is another application's (facts 3.5)."""
    return ApiError(409, 11010, f"{ACCESS}application_already_exists")


def bad_application_id(status: int) -> ApiError:
    """Not a UUID (facts 3.5)."""
    return ApiError(status, 12045, f"{ACCESS}invalid_application_id")


def group_not_loaded() -> ApiError:
    """A rule names a group that is not there (facts 3.5)."""
    return ApiError(400, 11020, f"{ACCESS}failed_to_load_group")


def policy_in_use(code: int) -> ApiError:
    """A reusable policy cannot go while applications use it (facts 4.1)."""
    return ApiError(409, code, f"{ACCESS}policy_in_use: policy is attached to applications")


def not_found(code: int) -> ApiError:
    """No such thing here (facts 3.5)."""
    return ApiError(404, code, f"{ACCESS}not_found")


def not_enabled() -> ApiError:
    """Zero Trust was never switched on (facts 3.5)."""
    return ApiError(
        403, 9999, f"{ACCESS}not_enabled: Access is not enabled. Visit the Access dashboard to enable it."
    )


def no_route(status: int, path: str) -> ApiError:
    """A path that leads nowhere (facts 7.4)."""
    chain = [{"code": 7000, "message": "No route for that URI"}]
    message = f"Could not route to {path}, perhaps your object identifier is invalid?"
    return ApiError(status, 7003, message, error_chain=chain)


def no_method() -> ApiError:
    """A path that is there, but not for this method."""
    return ApiError(405, 10405, "Method not allowed for this authentication scheme")


def malformed_authorization() -> ApiError:
    """An Authorization header that is none (facts 7.4)."""
    chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
    return ApiError(400, 6003, "Invalid request headers", error_chain=chain)


def no_authorization(status: int) -> ApiError:
    """No authentication headers at all (facts 7.4)."""
    return ApiError(status, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")


def unknown_token() -> ApiError:
    """A token that nobody issued, on any path but verify (facts 7.4)."""
    return ApiError(403, 9109, "Invalid access token")


def invalid_token() -> ApiError:
    """The same on the verify path (facts 7.4)."""
    return ApiError(401, 1000, "Invalid API Token")


def no_permission(code: int, group: str) -> ApiError:
    """The token lacks a permission; the emulator names it, life does not always (facts 1.6, 7.4)."""
    what = "Authentication error" if code == 10000 else "Unauthorized to access requested resource"
    return ApiError(403, code, f"{what}: the token lacks the permission {group!r}")


def wrong_scope() -> ApiError:
    """An account or zone that the token is not for."""
    return ApiError(403, 9109, "Unauthorized to access requested resource")


def slow_down() -> ApiError:
    """Too many requests (facts 7.4, 7.5)."""
    return ApiError(429, 971, "Please wait and consider throttling your request speed")
