"""The retry policy: what is waited out, for how long, and what is final at once."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from cf_mtls.remote.gateway import Answer, Method
from cf_mtls.remote.pace import RESERVE
from tests.remote.fakes import Fake, FakeTime, Reply, ok, refused

BUSY = refused(409, 0, "access.api.error.conflict: previous certificate settings still being updated")
ACTIVE = refused(400, 12132, "access.api.error.certificate_has_active_associations")
CONFLICT = "access.api.error.conflict: "


def persist(method: Method, *replies: Reply) -> tuple[object, int, FakeTime]:
    """What came of it, how many requests were made, and the time; the last reply repeats."""
    fake, time = Fake(lambda _, n: replies[min(n, len(replies)) - 1]), FakeTime()
    writer = fake.writer()
    call = {
        "GET": lambda: writer.get("/x"),
        "POST": lambda: writer.post("/x", {}),
        "PUT": lambda: writer.put("/x", {}),
        "DELETE": lambda: writer.delete("/x"),
    }[method]
    return time.pace().persist(method, call), len(fake.seen), time


@pytest.mark.parametrize(
    ("method", "trouble"),
    [
        ("GET", refused(500, 0, "oops")),
        ("GET", httpx.ReadError("reset")),
        ("GET", refused(429, 971, "Please wait")),
        ("PUT", BUSY),
        ("PUT", refused(503, 0, "oops")),
        ("DELETE", ACTIVE),
        ("DELETE", refused(409, 12132, CONFLICT + "certificate has active associations")),
        ("DELETE", refused(409, 12132, "whatever it says")),
        ("PUT", refused(400, 12132, CONFLICT + "previous certificate settings still being updated")),
        ("POST", refused(429, 971, "Please wait")),
        ("POST", httpx.ConnectError("refused")),
    ],
)
def test_named_troubles_are_waited_out_and_said(method: Method, trouble: Reply) -> None:
    """Two of them, then the answer; each wait is announced."""
    outcome, requests, time = persist(method, trouble, trouble, ok({"id": "1"}))
    assert isinstance(outcome, Answer)
    assert outcome.ok
    assert requests == 3
    assert len(time.slept) == len(time.said) == 2


@pytest.mark.parametrize(
    ("method", "trouble"),
    [
        ("POST", httpx.ReadError("the answer was lost")),
        ("POST", refused(500, 0, "oops")),
        ("POST", refused(409, 11010, "application_already_exists")),
        ("PUT", refused(409, 11010, "application_already_exists")),
        ("POST", BUSY),
        ("POST", ACTIVE),
        ("POST", refused(409, 12132, "whatever it says")),
        ("POST", refused(409, 12132, CONFLICT + "certificate already exists")),
        ("PUT", refused(409, 12132, CONFLICT + "destination belongs to another application")),
        ("PUT", refused(409, 12132, CONFLICT + "certificate already exists")),
        ("GET", refused(403, 10000, "Authentication error")),
        ("PUT", refused(400, 12130, "policy precedences must be unique")),
        ("DELETE", refused(404, 0, "not found")),
    ],
)
def test_everything_else_is_final_at_once(method: Method, trouble: Reply) -> None:
    """Above all a POST whose fate is unknown: it is never sent again from here."""
    outcome, requests, time = persist(method, trouble)
    assert not (isinstance(outcome, Answer) and outcome.ok)
    assert (requests, time.slept) == (1, [])


@pytest.mark.parametrize(("trouble", "method", "limit_s"), [(BUSY, "PUT", 120), (ACTIVE, "DELETE", 120)])
def test_giving_up_returns_the_trouble_and_stays_within_the_deadline(
    trouble: Reply, method: Method, limit_s: float
) -> None:
    """A retry that gives up stops: the last outcome is the failure, never a success."""
    outcome, _, time = persist(method, trouble)
    assert isinstance(outcome, Answer)
    assert not outcome.ok
    assert limit_s / 2 < time.at <= limit_s


def test_the_five_minute_block_is_waited_for_as_told() -> None:
    """Retry-After decides, not our own pauses; the SDK would ignore more than a minute."""
    blocked = refused(429, 971, "Please wait", **{"retry-after": "290"})
    outcome, requests, time = persist("GET", blocked, ok([]))
    assert isinstance(outcome, Answer)
    assert (outcome.ok, requests, time.slept) == (True, 2, [290.0])
    assert "290 s" in time.said[0]


def test_a_block_of_no_seconds_is_no_loop() -> None:
    """`Retry-After: 0` for ever: it is asked again with pauses, and given up."""
    outcome, requests, time = persist("GET", refused(429, 971, "Please wait", **{"retry-after": "0"}))
    assert isinstance(outcome, Answer)
    assert not outcome.ok
    assert min(time.slept) >= 0.5
    assert (requests <= 1201, time.at <= 600) == (True, True)


def test_a_condition_is_asked_for_until_its_deadline() -> None:
    """True as soon as it holds, False when time is out; the last wait never oversleeps."""
    time, answers = FakeTime(), iter([False, False, True])
    assert time.pace().until("it", 60, lambda: next(answers))
    assert len(time.slept) == 2
    never = FakeTime()
    assert not never.pace().until("it", 10, lambda: False)
    assert never.at == 10


def test_the_budget_is_never_spent_to_the_end() -> None:
    """With the reserve reached, the next request waits for the renewal that the header names, and says so."""
    left = {"r": 40}

    def reply(_: httpx.Request, __: int) -> httpx.Response:
        left["r"] -= 1
        return ok([], ratelimit=f'"default";r={max(left["r"], 0)};t=30')

    fake, time = Fake(reply), FakeTime()
    pace, writer = time.pace(), fake.writer()
    for _ in range(30):
        pace.persist("GET", lambda: writer.get("/x"))
        if time.slept:
            break
    assert left["r"] >= RESERVE - 1
    assert time.slept == [30.0]
    assert "budget" in time.said[0]


@pytest.mark.parametrize(
    ("quota", "left", "waits"), [(1200, 60, True), (1200, 61, False), (100, 20, True), (100, 21, False)]
)
def test_of_a_large_budget_a_share_is_left_to_others(quota: int, left: int, waits: bool) -> None:
    """A twentieth, at least twenty: other runs have requests under way that the last answer did not count."""
    headers = {"ratelimit": f'"default";r={left};t=30', "ratelimit-policy": f'"default";q={quota};w=300'}
    fake, time = Fake(lambda *_: ok([], **headers)), FakeTime()
    pace, writer = time.pace(), fake.writer()
    for _ in range(2):
        pace.persist("GET", lambda: writer.get("/x"))
    assert bool(time.slept) is waits


@pytest.mark.parametrize("header", ['"a";r=0;t=999999999', '"a";r=0;t=86400'])
def test_no_header_makes_anybody_wait_longer_than_the_block(header: str) -> None:
    """Cloudflare's own window is five minutes; a day, or thirty years, is not waited for."""
    fake, time = Fake(lambda *_: ok([], ratelimit=header)), FakeTime()
    pace, writer = time.pace(), fake.writer()
    for _ in range(2):
        pace.persist("GET", lambda: writer.get("/x"))
    assert time.slept == [300.0]


def test_without_the_header_nothing_is_held_back() -> None:
    """An answer that says nothing about a budget changes nothing."""
    _, _, time = persist("GET", ok([]))
    assert time.slept == []


@pytest.mark.parametrize("status", [400, 403, 429])
def test_the_block_is_known_by_its_code_as_well(status: int) -> None:
    """971 is *too many requests* whatever the status."""
    outcome, requests, _ = persist("GET", refused(status, 971, "Please wait"), ok([]))
    assert isinstance(outcome, Answer)
    assert (outcome.ok, requests) == (True, 2)


def test_whoever_stops_the_run_ends_its_waits() -> None:
    """The trouble is returned as it is, after the call under way; a condition is taken for not met."""
    fake, time = Fake(lambda *_: refused(429, 971, "Please wait")), FakeTime()
    pace, writer = replace(time.pace(), stopping=lambda: True), fake.writer()
    outcome = pace.persist("GET", lambda: writer.get("/x"))
    assert isinstance(outcome, Answer)
    assert not outcome.ok
    assert (len(fake.seen), time.slept) == (1, [])
    asked: list[bool] = []
    assert not pace.until("it", 60, lambda: bool(asked.append(True)))
    assert (len(asked), time.slept) == (1, [])


def test_a_budget_that_was_renewed_holds_nobody_back() -> None:
    """What an answer said counts until the time it named; afterwards nothing is known until the next."""
    fake, time = Fake(lambda *_: ok([], ratelimit='"default";r=1;t=30')), FakeTime()
    pace, writer = time.pace(), fake.writer()
    pace.persist("GET", lambda: writer.get("/x"))
    time.at += 31
    pace.persist("GET", lambda: writer.get("/x"))
    assert time.slept == []
