"""The account as JSON, the clock, the switches, and several emulators at once."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from emulator_kit import HOST, PATH, Api, Pki, browsing, emulating, save, service_auth

from cf_mtls.emulator.clock import Clock
from cf_mtls.emulator.server import Options, Unusable, running
from cf_mtls.emulator.switches import SWITCHES, Switches, lifelike, read_all, spoken

URL = f"https://{HOST}{PATH}"


def _furnish(api: Api, pki: Pki) -> None:
    """An account with a bit of everything."""
    api.certificate(pki)
    entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
    api.result("PUT", "/access/certificates/settings", {"settings": [entry]})
    api.result("POST", "/access/tags", {"name": "blue"})
    group = api.result("POST", "/access/groups", {"name": "g", "include": [{"certificate": {}}]})["id"]
    reusable = api.result("POST", "/access/policies", service_auth({"group": {"id": group}}))["id"]
    api.app(HOST + PATH, reusable, tags=["blue"])
    api.app(f"b.{HOST}")


def test_a_dump_loads_into_another_emulator(pki: Pki, tmp_path: Path) -> None:
    """Dumped, loaded elsewhere, dumped again: the same, and the edge enforces it."""
    with emulating() as one:
        _furnish(one, pki)
        state = one.manage("GET", "state")
    with emulating(state=state, account_id=state["account"]["id"]) as two:
        assert two.manage("GET", "state") == state
        with browsing(two.emulator.ready) as (browser, _):
            assert browser.get(URL).status_code == 403
        with browsing(two.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
            assert browser.get(URL).status_code == 200
        two.manage("POST", "reset")
        assert two.manage("GET", "state") == state


def test_a_state_by_hand(pki: Pki) -> None:
    """Request bodies instead of dumps: ids are made, or taken when given; zones by name."""
    state = {
        "zones": ["jeann.net", {"name": "example.org"}],
        "certificates": [{"name": "x", "certificate": pki.chain, "associated_hostnames": [HOST]}],
        "settings": [{"hostname": HOST, "client_certificate_forwarding": True}],
        "tags": [{"name": "t"}],
        "policies": [service_auth({"certificate": {}}, id="11111111-1111-4111-8111-111111111111")],
        "apps": [{"domain": HOST, "type": "self_hosted", "tags": ["t"],
                  "policies": ["11111111-1111-4111-8111-111111111111"]},
                 {"domain": "example.org", "type": "self_hosted", "zone": "example.org"}],
    }  # fmt: skip
    with emulating(state=state) as api:
        assert [a["domain"] for a in api.result("GET", "/access/apps")] == [HOST]
        assert len(api.result("GET", "//zones")) == 2
        with browsing(api.emulator.ready) as (browser, _):
            assert browser.get(f"https://{HOST}/").status_code == 403


@pytest.mark.parametrize(
    "state",
    [
        [], {"nonsense": []}, {"apps": {}}, {"apps": [5]}, {"apps": [{"domain": HOST}]},
        {"certificates": [{"name": "x", "certificate": "no"}]}, {"dns_records": [{"name": "other.example"}]},
        {"certificates": [{"_scope": "x", "id": "y", "_certificate": "no"}]}, {"dns_records": [{}]},
        {"zones": [{}]}, {"organization": 5}, {"apps": [{"zone": "missing", "domain": HOST}]},
        {"certificates": [{"_scope": "x", "id": "y", "_certificate": None}]},
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_changes_nothing(api: Api, pki: Pki, state: Any) -> None:
    """All or nothing, and the message names the record."""
    import httpx

    _furnish(api, pki)
    before = api.manage("GET", "state")
    response = httpx.post(f"{api.emulator.ready.management}/state", json=state)
    assert response.status_code == 400
    assert response.json()["error"]
    assert api.manage("GET", "state") == before
    with browsing(api.emulator.ready) as (browser, _):
        assert browser.get(URL).status_code == 403


def test_reset_forgets(api: Api, pki: Pki) -> None:
    """The account, the log, the switches and what was on its way; tokens stay."""
    api.manage("POST", "switches", {"association-delay": 60.0})
    _furnish(api, pki)
    api.manage("POST", "reset")
    assert api.manage("GET", "requests") == []
    api.manage("POST", "clock", {"advance": 120})
    assert api.manage("GET", "edge")["trust"] == {}
    assert api.result("GET", "/access/apps") == []
    assert api.manage("GET", "switches")["association-delay"] == "0.0"


def test_two_emulators_do_not_meet(pki: Pki) -> None:
    """Nothing is shared by emulators of one process."""
    with emulating() as one, emulating() as two:
        _furnish(one, pki)
        assert two.result("GET", "/access/apps") == []
        assert two.other(one.emulator.ready.token).error("GET", "/access/apps")[0] == 403


def test_keys_are_new_each_start() -> None:
    """The same seed gives the same account, and other tokens and another CA."""
    told = []
    for _ in range(2):
        with running(Options(seed=1)) as emulator:
            ready = emulator.ready
            told.append((ready.account_id, ready.token, ready.read_token, Path(ready.edge_ca).read_text()))
    (account, *secrets), (again, *others) = told
    assert account == again
    assert not set(secrets) & set(others)


def test_nothing_is_left_behind() -> None:
    """Threads, files and ports are gone afterwards; the CA was readable by its owner only."""
    threads = threading.active_count()
    with running(Options()) as emulator:
        folder = Path(emulator.ready.edge_ca).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert threading.active_count() == threads
    before = set(folder.parent.glob("cf-mtls-emulator-*"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)), running(Options(edge_port=port)):
            pass
    assert set(folder.parent.glob("cf-mtls-emulator-*")) <= before
    assert threading.active_count() == threads


def test_it_binds_to_loopback_only() -> None:
    """Neither port is reachable by another address of this machine."""
    with running(Options()) as emulator:
        addresses = emulator.do(lambda e: [s.getsockname()[0] for x in e.servers for s in x.sockets])
    assert addresses == ["127.0.0.1", "127.0.0.1"]


def test_hostnames_bring_their_zones() -> None:
    """Names to rehearse are held by zones that were not named."""
    with emulating(zones=("jeann.net",), hostnames=("a.b.example.org", "jeann.net")) as api:
        assert [z["name"] for z in api.result("GET", "//zones")] == ["jeann.net", "example.org"]
        api.app("a.b.example.org")
        with browsing(api.emulator.ready) as (browser, _):
            assert browser.get("https://a.b.example.org/").status_code == 403


class Now:
    """A source of time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_clock_ticks_in_order() -> None:
    """Due things run by tick, in order of due time; reading runs nothing; a jump runs them too."""
    now, done = Now(), []
    clock = Clock(now, start=0.0)
    clock.after(5, lambda: done.append("five"))
    clock.after(2, lambda: (done.append("two"), clock.after(1, lambda: done.append("three")))[0])
    clock.after(0, lambda: done.append("now"))
    assert done == ["now"]
    now.seconds += 4
    assert clock.now() == 4.0
    assert done == ["now"]
    clock.tick()
    assert done == ["now", "two"]
    clock.advance(0.5)
    assert clock.next_due() == 0.5
    clock.advance(10)
    assert done == ["now", "two", "five", "three"]
    assert clock.next_due() is None


def test_a_frozen_clock_stands(api: Api) -> None:
    """It stands until it is moved by hand, and runs on from there."""
    now = Now()
    clock = Clock(now)
    clock.freeze()
    now.seconds += 50
    assert clock.now() == 1000.0
    clock.advance(5)
    assert clock.now() == 1005.0
    clock.thaw()
    now.seconds += 1
    assert clock.now() == 1006.0


def test_every_switch_has_a_source_and_reads_its_own_words() -> None:
    """Names are unique, each row says its source, and what it prints it takes back."""
    assert len({s.name for s in SWITCHES}) == len(SWITCHES)
    for switch in SWITCHES:
        assert "facts: " in switch.source
        assert switch.read(spoken(switch.default)) == switch.default
        for choice in switch.choices:
            assert switch.read(spoken(choice)) == choice
    assert all(Switches(lifelike()).all()[name] == value for name, value in lifelike().items())


@pytest.mark.parametrize(
    "pair",
    [
        "nothing=1", "settings-delay=-1", "settings-delay=nan", "settings-delay=x", "settings-merge=maybe",
        "match-order=other", "active-associations-status=500", "certificate-quota=1.5", "settings-delay",
        "settings-delay=inf", "settings-delay=99999999",
    ],
)  # fmt: skip
def test_a_switch_takes_only_its_own_values(pair: str) -> None:
    """Everything else is refused with words."""
    with pytest.raises(ValueError, match=r"\w+"):
        read_all([pair])
    assert read_all(["settings-merge=off", "settings-delay=5"]) == {
        "settings-merge": False,
        "settings-delay": 5,
    }


def test_every_switch_is_used() -> None:
    """A row that nothing reads would be a promise without a keeper."""
    import cf_mtls.emulator as package

    folder = Path(package.__file__).parent
    code = "".join(p.read_text("utf-8") for p in folder.glob("*.py") if p.name != "switches.py")
    assert [s.name for s in SWITCHES if f'"{s.name}"' not in code] == []


def test_bad_options_are_refused() -> None:
    """Unknown switches and faults end before anything is started."""
    for bad in (Options(switches={"x": 1}), Options(faults=({"do": "x"},)), Options(state={"x": []})):
        with pytest.raises(Unusable), running(bad):
            pass
