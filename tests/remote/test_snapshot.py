"""Reading a whole scope: complete, once, and never endless."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings, Kind, Scope
from cf_mtls.model.state import State
from cf_mtls.remote.gateway import Answer, Reader
from cf_mtls.remote.snapshot import pages, read
from tests.remote.fakes import ACCOUNT, Fake, FakeTime, ok, refused

SCOPE = Scope("account", ACCOUNT)
CA: dict[str, Any] = {
    "id": "1",
    "name": "by hand",
    "associated_hostnames": ["B.net", "a.net"],
    "fingerprint": "MD5 Fingerprint=2C:1E:00:00:00:00:00:00:00:00:00:00:00:00:00:FF",
    "expires_on": "2030-01-01T00:00:00Z",
}
APP: dict[str, Any] = {
    "id": "2",
    "uid": "2",
    "aud": "x",
    "name": "app",
    "type": "self_hosted",
    "domain": "a.net/x",
    "policies": [
        {
            "id": "3",
            "name": "p",
            "decision": "non_identity",
            "include": [{"certificate": {}}],
            "precedence": 1,
        }
    ],
    "session_duration": "24h",
}


def account(certificates: Any = (), settings: Any = (), apps: Any = ()) -> Fake:
    bodies = {"certificates": certificates, "settings": settings, "apps": apps, "policies": [], "groups": []}

    def reply(request: httpx.Request, _: int) -> httpx.Response:
        return ok(bodies[request.url.path.rpartition("/")[2]])

    return Fake(reply)


def snapshot(fake: Fake) -> State:
    return read(fake.writer(), SCOPE, FakeTime().pace()).state


def test_the_account_becomes_a_state_with_five_gets() -> None:
    """Every kind at its address: id, hostname, first domain."""
    fake = account([CA], [{"hostname": "A.net", "client_certificate_forwarding": True}], [APP])
    state = snapshot(fake)
    assert [m for m, _, _ in fake.seen] == ["GET"] * 5
    ca = state[Address(Kind.CERTIFICATE, CA["id"])]
    app = state[Address(Kind.APPLICATION, "a.net/x")]
    assert isinstance(ca, CaCertificate)
    assert ca.associated_hostnames == ("a.net", "b.net")
    assert isinstance(app, AccessApplication)
    assert app.policies[0].id == "3"
    assert "aud" not in app.fields
    assert state[Address(Kind.SETTINGS, "a.net")] == HostnameSettings(
        "a.net", client_certificate_forwarding=True
    )


def test_two_cas_with_one_fingerprint_keep_two_addresses() -> None:
    """Cloudflare may hash a root that two chains share; neither object is lost."""
    state = snapshot(account([CA, {**CA, "id": "9"}]))
    assert [a.key for a in state] == [CA["id"], "9"]


@pytest.mark.parametrize("odd", [{"name": None}, {"name": ""}, {"associated_hostnames": None}])
def test_a_ca_without_a_name_or_a_hostname_is_read(odd: dict[str, Any]) -> None:
    """What was made elsewhere may lack either; it is foreign, and no fault of Cloudflare's answer."""
    (found,) = (r for _, r in snapshot(account([{**CA, **odd}])).of(CaCertificate))
    assert (found.name, found.associated_hostnames) == (
        odd.get("name", CA["name"]) or "",
        ("a.net", "b.net") if "name" in odd else (),
    )


def listed(*answers: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """Ids of a list, codes of what was wrong with it, and how many requests; the last answer repeats.

    An answer is the ids of a page, and what result_info says beside.
    """

    def reply(_: httpx.Request, number: int) -> httpx.Response:
        told = dict(answers[min(number, len(answers)) - 1])
        items = [{"id": id_} for id_ in told.pop("ids")]
        return httpx.Response(200, json={"success": True, "result": items, "result_info": told or None})

    fake = Fake(reply)
    try:
        ids = [item["id"] for item in pages(fake.writer(), "/x", FakeTime().pace())]
        return ids, [], len(fake.seen)
    except Failure as failed:
        return [], [d.code.code for d in failed.diagnostics], len(fake.seen)


LISTS: dict[str, tuple[tuple[dict[str, Any], ...], list[str], int]] = {
    "pages": (({"ids": "a", "total_pages": 2}, {"ids": "b", "total_pages": 2}), ["a", "b"], 2),
    "items alone": (({"ids": "ab", "total_count": 3}, {"ids": "c", "total_count": 3}), ["a", "b", "c"], 2),
    "one page of items": (({"ids": "ab", "total_count": 2, "per_page": 2},), ["a", "b"], 1),
    "a page that is not full": (({"ids": "a", "per_page": 2},), ["a"], 1),
    "a full page, then nothing": (({"ids": "ab", "per_page": 2}, {"ids": "", "per_page": 2}), ["a", "b"], 2),
    "capped below what was asked": (({"ids": "ab", "per_page": 2}, {"ids": "c", "per_page": 2}), ["a", "b", "c"], 2),
    "nothing is said": (({"ids": "ab"}, {"ids": ""}), ["a", "b"], 2),
    "nothing is said and page is ignored": (({"ids": "ab"},), ["a", "b"], 2),
    "empty": (({"ids": "", "total_count": 0, "total_pages": 0},), [], 1),
    "something was added meanwhile": (
        ({"ids": "ab", "total_count": 3}, {"ids": "cd", "total_count": 4}), ["a", "b", "c", "d"], 2
    ),
    "something was taken away meanwhile": (
        ({"ids": "ab", "total_count": 4, "total_pages": 2}, {"ids": "d", "total_count": 3, "total_pages": 2},
         {"ids": "", "total_count": 4}, {"ids": "bcd", "total_count": 3, "total_pages": 1}), ["b", "c", "d"], 4
    ),
}  # fmt: skip
"""Answers page by page, the ids that must be read, and with how many requests."""


@pytest.mark.parametrize("case", LISTS)
def test_a_list_is_read_whole(case: str) -> None:
    """By whatever the answers say of its end: pages, items, how many fit a page, or nothing at all."""
    answers, ids, requests = LISTS[case]
    assert listed(*answers) == (ids, [], requests)


@pytest.mark.parametrize(
    "answers",
    [
        ({"ids": "a", "total_pages": 99},),
        ({"ids": "a", "total_count": 2},),
        ({"ids": "a", "total_count": 2, "total_pages": 1},),
        ({"ids": "", "total_count": 1},),
        ({"ids": "ab", "total_count": 3}, {"ids": "", "total_count": 3}),
    ],
)
def test_a_list_that_is_not_known_to_be_whole_could_not_be_read(answers: tuple[dict[str, Any], ...]) -> None:
    """An application that is left out could open everything. It is read once more first, and it always ends."""
    ids, codes, requests = listed(*answers)
    assert (ids, codes) == ([], ["api.incomplete-list"])
    assert requests <= 6


class Endless(Reader):
    """Each page brings something new and promises another."""

    def __init__(self) -> None:
        self.asked = 0

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        self.asked += 1
        return Answer(200, True, [{"id": str(self.asked)}], (), {"total_pages": 10**9}, "", None)


def test_a_list_that_never_ends_is_left() -> None:
    """After two thousand pages, and once."""
    endless = Endless()
    with pytest.raises(Failure, match="more than 2000 pages"):
        list(pages(endless, "/x", FakeTime().pace()))
    assert endless.asked == 2000


@pytest.mark.parametrize(
    ("fake", "code"),
    [
        (account([{"id": "1"}]), "api.strange-answer"),
        (account(apps={"not": "a list"}), "api.strange-answer"),
        (account(settings=["x"]), "api.strange-answer"),
        (Fake(lambda *_: refused(403, 10000, "no")), "api.permission-missing"),
        (Fake(lambda *_: httpx.ConnectError("refused")), "api.unreachable"),
    ],
)
def test_what_cannot_be_read_is_never_taken_for_empty(fake: Fake, code: str) -> None:
    """An unreadable account would look as if everything had to be made anew."""
    with pytest.raises(Failure) as caught:
        snapshot(fake)
    assert [d.code.code for d in caught.value.diagnostics] == [code]


def test_an_unknown_member_and_an_unknown_rule_are_carried() -> None:
    """What we do not know is kept as it came, so that a PUT sends it back."""
    policy = {**APP["policies"][0], "include": [{"new_selector": {"x": [1]}}], "mfa_config": {"y": 2}}
    app = snapshot(account(apps=[{**APP, "brand_new": {"z": 3}, "policies": [policy]}]))[
        Address(Kind.APPLICATION, "a.net/x")
    ]
    assert isinstance(app, AccessApplication)
    assert "brand_new" in app.fields
    assert app.policies[0].include[0].kind == "new_selector"
    assert "mfa_config" in app.policies[0].fields


@pytest.mark.parametrize("part", ["include", "require", "exclude"])
def test_emptied_selectors_are_not_read(part: str) -> None:
    """The server's own empty selectors, and null beside a selector, say nothing; null alone is not `{}`."""
    listed = [
        {"common_name": {"common_name": None}}, {"email": {"email": " "}}, {"geo": {}}, {"ip": None},
        {"certificate": {}}, {"everyone": {}, "certificate": None}, {"certificate": None}, {"okta": {}},
    ]  # fmt: skip
    policy = {**APP["policies"][0], part: listed}
    app = snapshot(account(apps=[{**APP, "policies": [policy]}]))[Address(Kind.APPLICATION, "a.net/x")]
    assert isinstance(app, AccessApplication)
    assert [(r.kind, r.value is None) for r in getattr(app.policies[0], part)] == [
        ("certificate", False), ("everyone", False), ("certificate", True), ("okta", False),
    ]  # fmt: skip


def test_groups_may_stay_unseen_for_want_of_a_permission() -> None:
    """Groups need a permission of their own; without it the plan goes on and says that their rules are unknown."""

    def reply(request: httpx.Request, _: int) -> httpx.Response:
        return refused(403, 10000, "no") if request.url.path.endswith("/groups") else ok([])

    found = read(Fake(reply).writer(), SCOPE, FakeTime().pace())
    assert [d.code.code for d in found.diagnostics] == ["groups.unseen"]


def test_a_zone_has_no_reusable_policies_to_ask_for() -> None:
    """They exist in accounts only, so a zone is read with four GETs."""
    fake = account()
    read(fake.writer(), Scope("zone", ACCOUNT), FakeTime().pace())
    assert sorted(path.rpartition("/")[2] for _, path, _ in fake.seen) == [
        "apps",
        "certificates",
        "groups",
        "settings",
    ]


def test_a_plan_waits_for_two_round_trips() -> None:
    """Six lists are all under way before one is answered, then both of the zone: a list that waits breaks this."""
    together = {"zones": threading.Barrier(6), "beside": threading.Barrier(2)}

    def reply(request: httpx.Request, _: int) -> httpx.Response:
        beside = request.url.path.startswith("/client/v4/zones/")
        together["beside" if beside else "zones"].wait(timeout=10)
        return ok([{"id": "z", "name": "a.net"}] if request.url.path.endswith("/zones") else [])

    fake = Fake(reply)
    read(fake.writer(), SCOPE, FakeTime().pace(), {"www.a.net"})
    assert len(fake.seen) == 8


def test_settings_that_say_nothing_are_no_settings() -> None:
    """Both false, null or absent equals none: facts 2."""
    shown = [
        {"hostname": "a.net", "client_certificate_forwarding": False, "china_network": None},
        {"hostname": "b.net"},
        {"hostname": "c.net", "china_network": True},
    ]
    assert [a.key for a in snapshot(account(settings=shown))] == ["c.net"]
