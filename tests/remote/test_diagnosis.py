"""What only some accounts say: the token's end, its own permissions, full accounts, its kind by its first letters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cf_mtls.model.resources import Scope
from cf_mtls.model.state import State
from cf_mtls.remote import doctor
from cf_mtls.remote.diagnosis import CHECKS, diagnose
from cf_mtls.remote.findings import Declared, Finding
from tests.remote.fakes import ACCOUNT, Fake, ok, refused

AT = datetime(2026, 6, 1, tzinfo=UTC)
VERIFY = f"/accounts/{ACCOUNT}/tokens/verify"
OWN = f"/accounts/{ACCOUNT}/tokens/t1"


def looked(answers: dict[str, Any]) -> list[Finding]:
    """The findings when these paths answer so; every other list is empty."""

    def reply(request: httpx.Request, _: int) -> httpx.Response:
        answer = answers.get(request.url.path.removeprefix("/client/v4"), [])
        return answer if isinstance(answer, httpx.Response) else ok(answer)

    readings = doctor.read(Fake(reply).writer(), Scope("account", ACCOUNT), "cfat_x", [])
    return list(diagnose(readings, Declared("s", State(), AT)))


def of(check: str, found: list[Finding]) -> list[tuple[str, str]]:
    return [(f.grade.value, f.said) for f in found if f.check == check]


ENDS = [
    (None, "ok", "no end is set"),
    ("2027-06-01T00:00:00Z", "ok", "in 365 days"),
    ("2026-06-15T00:00:00Z", "ok", "in 14 days"),
    ("2026-06-14T23:00:00Z", "warn", "in 13 days"),
    ("2026-05-20T00:00:00Z", "fail", "ended 12 days ago"),
]


@pytest.mark.parametrize(("ends", "grade", "said"), ENDS)
def test_a_token_that_ends_soon_is_a_warning(ends: str | None, grade: str, said: str) -> None:
    """Under fourteen days; an ended one fails."""
    told = {"id": "t1", "status": "active", **({"expires_on": ends} if ends else {})}
    ((found, words),) = of("token.expiry", looked({VERIFY: told}))
    assert (found, said in words) == (grade, True), words


@pytest.mark.parametrize("status", ["disabled", "expired"])
def test_a_token_that_is_not_active_fails(status: str) -> None:
    """Its status is said."""
    assert of("token.status", looked({VERIFY: {"id": "t1", "status": status}})) == [
        ("fail", f"it is {status}")
    ]


def policy(effect: str, resource: str, *groups: str) -> dict[str, Any]:
    return {
        "effect": effect, "resources": {f"com.cloudflare.api.account.{resource}": "*"},
        "permission_groups": [{"id": "g", "name": name} for name in groups],
    }  # fmt: skip


MTLS, APPS = "Access: Mutual TLS Certificates Write", "Access: Apps and Policies Write"
GRANTS = [
    ([policy("allow", ACCOUNT, MTLS, APPS)], ["ok", "ok"]),
    ([policy("allow", "*", MTLS), policy("allow", ACCOUNT, APPS)], ["ok", "ok"]),
    ([policy("allow", ACCOUNT, MTLS)], ["ok", "warn"]),
    ([policy("allow", "f" * 32, MTLS, APPS)], ["warn", "warn"]),
    ([policy("deny", ACCOUNT, MTLS, APPS)], ["warn", "warn"]),
]


@pytest.mark.parametrize(("policies", "grades"), GRANTS)
def test_the_right_to_write_is_read_from_the_tokens_own_policies(
    policies: list[dict[str, Any]], grades: list[str]
) -> None:
    """When the token may read itself: by name, for this account, allowed and not denied."""
    told = {VERIFY: {"id": "t1", "status": "active"}, OWN: {"id": "t1", "policies": policies}}
    assert [grade for grade, _ in of("permission.write", looked(told))] == grades


def test_the_right_to_write_is_never_guessed() -> None:
    """A token that may not read itself is told to be unknown, not to be lacking."""
    told = {VERIFY: {"id": "t1", "status": "active"}, OWN: refused(403, 9109, "no")}
    assert of("permission.write", looked(told)) == [("unknown", "cannot be told without writing")]


@pytest.mark.parametrize(("count", "grade"), [(1, "ok"), (44, "ok"), (45, "warn"), (50, "fail")])
def test_a_nearly_full_account_is_a_warning(count: int, grade: str) -> None:
    """Counted by the list's own total."""
    listed = httpx.Response(200, json={"success": True, "result": [], "result_info": {"total_count": count}})
    assert of("certificates.room", looked({f"/accounts/{ACCOUNT}/access/certificates": listed})) == [
        (grade, f"{count} of 50 CAs")
    ]


@pytest.mark.parametrize(
    ("token", "asked"),
    [
        ("cfut_x", ["/user/tokens/verify"]),
        ("cfat_x", [VERIFY]),
        ("old", ["/user/tokens/verify", VERIFY]),
        ("cfk_x", []),
    ],
)
def test_a_token_is_verified_where_its_kind_is_known(token: str, asked: list[str]) -> None:
    """By its first letters; an older one, which does not say, at both."""
    fake = Fake(lambda _r, _n: ok([]))
    doctor.read(fake.writer(), Scope("account", ACCOUNT), token, [])
    assert [path for _, path, _ in fake.seen if path.endswith("/verify")] == asked


def test_every_check_is_documented() -> None:
    """The table in DIAGNOSTICS.md and the program agree, both ways."""
    text = (Path(__file__).parents[2] / ".github/DIAGNOSTICS.md").read_text("utf-8")
    table = text.partition("## The doctor's checks")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z.-]+)` \|", table, re.MULTILINE) == list(CHECKS)
