"""Behaving badly, on purpose and twice the same."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import pytest
from emulator_kit import HOST, Api, Pki, emulating, service_auth

from cf_mtls.emulator.faults import KINDS, read
from cf_mtls.emulator.server import Options, Unusable, running

TAGS = "/access/tags"
CERTS = "/access/certificates"


def _fault(api: Api, do: str, when: dict[str, Any] | None = None, **members: Any) -> None:
    api.manage("POST", "faults", {"do": do, "when": when or {}, **members})


def _names(api: Api) -> list[str]:
    return [t["name"] for t in api.result("GET", TAGS)]


def test_a_429_with_and_without_retry_after(api: Api) -> None:
    """Code 971; the header is there or is not (facts: api 7.4)."""
    _fault(api, "429", {"nth": 1}, retry_after=7)
    _fault(api, "429", {"nth": 1}, retry_after=None)
    first, second = api.call("GET", TAGS), api.call("GET", TAGS)
    assert (first.status_code, first.json()["errors"][0]["code"]) == (429, 971)
    assert first.headers["retry-after"] == "7"
    assert second.status_code == 200
    _fault(api, "429", {"times": 1}, retry_after=None)
    assert "retry-after" not in api.call("GET", TAGS).headers


def test_a_5xx_has_a_html_body_and_does_nothing(api: Api) -> None:
    """Nothing was made, and the body is no JSON."""
    _fault(api, "5xx", {"nth": 1}, status=503)
    response = api.call("POST", TAGS, {"name": "a"})
    assert (response.status_code, response.headers["content-type"]) == (503, "text/html")
    assert _names(api) == []


def test_a_reset_does_nothing(api: Api) -> None:
    """The connection breaks and nothing was made; the log says 0."""
    _fault(api, "reset", {"method": "POST", "nth": 1})
    with pytest.raises(httpx.TransportError):
        api.call("POST", TAGS, {"name": "a"})
    assert _names(api) == []
    assert api.manage("GET", "requests")[0]["status"] == 0


def test_a_lost_answer_after_the_change(api: Api) -> None:
    """The client sees a broken connection, and the tag is there."""
    _fault(api, "lost", {"method": "POST", "nth": 1})
    with pytest.raises(httpx.TransportError):
        api.call("POST", TAGS, {"name": "a"})
    assert _names(api) == ["a"]
    assert api.manage("GET", "requests")[0]["status"] == 201


def test_half_an_answer(api: Api) -> None:
    """A status line and part of a body, then a break."""
    _fault(api, "half", {"nth": 1})
    with api.client.stream("GET", api.scope + TAGS) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.TransportError):
            response.read()


def test_latency(api: Api) -> None:
    """The answer takes its time."""
    _fault(api, "latency", {"nth": 1}, seconds=0.3)
    since = time.monotonic()
    api.result("GET", TAGS)
    assert time.monotonic() - since >= 0.3


def test_lists_misbehave(api: Api) -> None:
    """Other orders, no pages, an item that slips between two pages."""
    for n in range(8):
        api.result("POST", TAGS, {"name": f"t{n}"})
    whole = _names(api)
    _fault(api, "shuffle", {"times": 1})
    assert _names(api) != whole
    _fault(api, "ignore-page", {"times": 1})
    assert len(api.result("GET", TAGS + "?page=2&per_page=3")) == 3
    assert api.manage("GET", "faults")["rules"][-1]["struck"] == 1
    _fault(api, "moving-pages", {"times": 1})
    page = [t["name"] for t in api.result("GET", TAGS + "?page=2&per_page=3")]
    assert page == ["t4", "t5", "t6"]  # t3 has slipped onto the page before
    api.manage("DELETE", "faults")
    assert _names(api) == whole


def test_somebody_else_edits_and_removes(api: Api, pki: Pki) -> None:
    """A change behind our back, once, and the edge hears of it as of any other."""
    made = api.certificate(pki)
    _fault(api, "edit", {"times": 1}, table="certificates", match={"id": made["id"]},
           set={"associated_hostnames": []})  # fmt: skip
    assert api.result("GET", CERTS)[0]["associated_hostnames"] == [HOST]
    assert api.result("GET", CERTS)[0]["associated_hostnames"] == []
    assert api.manage("GET", "edge")["trust"] == {}
    _fault(api, "remove", {"times": 1}, table="certificates", match={"name": "ca"})
    api.result("GET", CERTS)
    assert api.result("GET", CERTS) == []


def test_faults_that_last(api: Api, pki: Pki) -> None:
    """Quota zero, busy settings, hidden policies, a slow edge: each until the clock or a reset ends it."""
    settings = CERTS + "/settings"
    entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
    _fault(api, "settings-busy", {"path": settings, "times": 1}, seconds=60)
    assert api.error("PUT", settings, {"settings": [entry]})[0] == 409
    api.manage("POST", "clock", {"advance": 61})
    api.result("PUT", settings, {"settings": [entry]})
    _fault(api, "slow-edge", {"times": 1}, seconds=60)
    api.certificate(pki)
    assert api.manage("GET", "edge")["trust"] == {}
    api.manage("POST", "clock", {"advance": 61})
    assert list(api.manage("GET", "edge")["trust"]) == [HOST]
    _fault(api, "hidden-policy", {"times": 1}, seconds=60)
    made = api.result("POST", "/access/policies", service_auth({"everyone": {}}))["id"]
    body = {"type": "self_hosted", "domain": HOST, "policies": [made]}
    assert api.error("POST", "/access/apps", body) == (400, 12130)
    api.manage("POST", "clock", {"advance": 61})
    api.result("POST", "/access/apps", body)
    _fault(api, "quota-zero", {"times": 1})
    assert api.error("POST", CERTS, {"name": "x", "certificate": pki.rogue.pem}) == (400, 12130)
    api.manage("POST", "reset")
    api.certificate(pki)


def test_the_five_minute_block(pki: Pki) -> None:
    """One call too many blocks every call for the next five minutes, and says until when (facts: api 7.5)."""
    with emulating(switches={"rate-limit": 3}) as api:
        left = [api.call("GET", TAGS).headers["ratelimit"].partition(";t=")[0] for _ in range(3)]
        assert left == [f'"default";r={n}' for n in (2, 1, 0)]
        over = api.call("GET", TAGS)
        assert (over.status_code, over.headers["retry-after"]) == (429, "300")
        api.manage("POST", "clock", {"advance": 200})
        assert api.call("GET", TAGS).status_code == 429
        api.manage("POST", "clock", {"advance": 101})
        assert api.call("GET", TAGS).status_code == 200
        assert api.manage("GET", "rates")["full"]["total"] == 6


def test_the_block_as_a_fault(api: Api) -> None:
    """The same without making 1200 calls."""
    _fault(api, "block", {"nth": 1}, seconds=300)
    assert api.call("GET", TAGS).status_code == 429
    assert api.call("POST", TAGS, {"name": "a"}).status_code == 429
    api.manage("POST", "clock", {"advance": 301})
    assert _names(api) == []


def test_too_many_in_a_second() -> None:
    """Two hundred in a second from one address are too many (facts: api 7.5)."""
    with emulating(switches={"rate-per-second": 5}) as api:
        api.manage("POST", "clock", {"freeze": True})
        statuses = [api.call("GET", TAGS).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        api.manage("POST", "clock", {"advance": 2})
        assert api.call("GET", TAGS).status_code == 200


@pytest.mark.parametrize(
    "rule",
    [
        {}, {"do": "unheard-of"}, {"do": "429", "retry": 1}, {"do": "latency", "seconds": "x"},
        {"do": "5xx", "when": {"nthh": 1}}, {"do": "edit", "table": 5}, {"do": "5xx", "when": []}, "text",
        {"do": "5xx", "status": -1}, {"do": "latency", "seconds": True},
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(rule: Any) -> None:
    """With a message, at the start and over HTTP; nothing is taken in."""
    with pytest.raises(ValueError, match=r"."):
        read(rule)
    with pytest.raises(Unusable), running(Options(faults=(rule,))):
        pass


def test_every_kind_can_be_read_with_its_defaults() -> None:
    """The table is what the reader accepts."""
    assert [read({"do": kind}).do for kind in KINDS] == list(KINDS)


def _day(seed: int, api_calls: int = 120) -> list[Any]:
    """What a client meets on a bad day: the outcome of each call, in order, and the log's own words."""
    met: list[Any] = []
    with emulating(seed=seed, start=1_700_000_000.0) as api:
        api.manage("POST", "bad-day", {"severity": 0.5})
        for n in range(api_calls):
            try:
                response = api.call("POST", TAGS, {"name": f"t{n}"}) if n % 3 else api.call("GET", TAGS)
                body = response.json() if "json" in response.headers["content-type"] else response.text
                met.append([response.status_code, response.headers.get("retry-after"), body])
            except httpx.TransportError:
                met.append("broken")
        log = api.manage("GET", "requests")
        met.append([[r["method"], r["path"], r["status"], r["faults"]] for r in log])
    return met


def test_the_same_seed_is_the_same_day() -> None:
    """Faults, answers, ids and shuffles replay from the seed; another seed is another day."""
    one, again, other = _day(11), _day(11), _day(12)
    assert _timeless(one) == _timeless(again)
    assert _timeless(one) != _timeless(other)
    kinds = {fault for entry in one[-1] for fault in entry[3]}
    assert len(kinds) >= 6, "a bad day that has nothing bad in it proves nothing"


def _timeless(met: list[Any]) -> str:
    return re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", json.dumps(met))


def test_a_reset_replays_too(pki: Pki) -> None:
    """After a reset the same calls give the same ids again."""
    with emulating(seed=3) as api:

        def ids() -> list[str]:
            return [api.certificate(pki)["id"], api.app()["id"]]

        first = ids()
        api.manage("POST", "reset")
        assert ids() == first
    with emulating(seed=4) as other:
        assert other.certificate(pki)["id"] != first[0]
