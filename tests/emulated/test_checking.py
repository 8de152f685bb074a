"""The check of many files: which of them is judged, by what, how often it is read, and what confirms an alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.checking import Asked, check
from cf_mtls.declare.files import load
from cf_mtls.declare.resolve import resolve
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.evidence import Evidence, Got, Probe
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.pki.identity import Identity
from cf_mtls.planning.drift import Checked, Class, Status
from cf_mtls.planning.planfile_reader import load as load_plan
from cf_mtls.remote.pace import Pace
from cf_mtls.verify.wallet import Wallet
from cf_mtls.workflow import Account
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN, seen

NOW = datetime.now(UTC)
OPEN = {"decision": "bypass", "include": [{"everyone": {}}]}
FORK = Code("test.fork", Severity.ERROR, Fault.INVOCATION, "no account may be asked").found("A fork.")


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The account as the first apply left it."""
    return {}


@pytest.fixture
def plan(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A plan file that is applied."""
    if not kept:
        assert run(folder, ready, "apply", PLAN, "-y", "--no-verify").returncode == 0
        kept |= lever(ready, "state")
    lever(ready, "state", kept)
    return folder / PLAN


def account(ready: Ready, token: str = "") -> Account:
    return Account(token or ready.token, ready.api_base_url, ready.account_id, None, Pace())


def opened(ready: Ready) -> None:
    """Somebody opens the application."""
    state = lever(ready, "state")
    state["policies"][0] |= OPEN
    lever(ready, "state", state)


def classes(checked: Checked) -> list[str]:
    return sorted(f.kind.value for f in checked.findings)


def essences(checked: Checked) -> set[str]:
    return {f.essence for f in checked.findings}


def beside(plan: Path, text: str, name: str = "other.yaml") -> Path:
    path = plan.parent / name
    path.write_text(f"version: 1\n{text}", "utf-8")
    return path


# What is judged


def test_each_file_has_its_verdict_and_an_account_is_read_once(plan: Path, ready: Ready) -> None:
    """In their order: judged, not read, broken; the two of one account share one reading."""
    opened(ready)
    other, broken = beside(plan, "stack: other\n"), beside(plan, "stack: [\n", "broken.yaml")
    link = plan.parent / "link.yaml"
    before = len(seen(ready))
    asked = Asked(NOW, unread={link: FORK})
    found = check([other, link, broken, plan], account(ready), asked)
    assert [c.status for c in found] == [Status.CLEAN, Status.ERROR, Status.ERROR, Status.DRIFT]
    assert essences(found[1]) == {"test.fork"}
    lists = [r["path"] for r in seen(ready)[before:] if r["path"].endswith("/access/certificates")]
    assert len(lists) == len(set(lists))


def test_two_files_of_one_stack_are_neither_judged(plan: Path, ready: Ready) -> None:
    """Each would call the other's things not declared; and where nobody may be asked that is not said."""
    again = plan.parent / "again.yaml"
    again.write_text(plan.read_text("utf-8"), "utf-8")
    third = beside(plan, "stack: other\n")
    *found, other = check([plan, again, third], account(ready), Asked(NOW))
    assert other.status is Status.CLEAN
    assert [(classes(c), essences(c)) for c in found] == [(["could-not-check"], {"stacks.twice"})] * 2
    kept_out = check([plan, again], account(ready), Asked(NOW, kept_out=FORK))
    assert [essences(c) for c in kept_out] == [{"test.fork"}] * 2


def test_two_files_that_declare_other_settings_are_neither_judged(plan: Path, ready: Ready) -> None:
    """A hostname has its settings once."""
    settings = "hostname_settings: {jeann.net: {china_network: true}}\n"
    found = check([plan, beside(plan, f"stack: other\n{settings}")], account(ready), Asked(NOW))
    assert [c.status for c in found] == [Status.ERROR, Status.ERROR]
    assert all("settings" in next(iter(essences(c))) for c in found)


def test_an_account_that_cannot_be_read_is_no_verdict(plan: Path, ready: Ready) -> None:
    """Nor is what nobody asked: an error each, and warnings are none."""
    for found in check([plan, beside(plan, "stack: other\n")], account(ready, "wrong"), Asked(NOW)):
        assert found.status is Status.ERROR
        assert set(classes(found)) == {"could-not-check"}
    before = len(seen(ready))
    (found,) = check([plan], account(ready), Asked(NOW, kept_out=FORK))
    assert (essences(found), len(seen(ready)) - before) == ({"test.fork"}, 0)


def test_what_a_file_is_warned_of_is_no_reason_why_it_could_not_be_checked(plan: Path, ready: Ready) -> None:
    """Its errors are."""
    (plan.parent / "certs/clientcert.key").unlink()
    plan.write_text(plan.read_text("utf-8").replace("certs/certchain.pem", "certs/none.pem"), "utf-8")
    (found,) = check([plan], account(ready), Asked(NOW))
    assert essences(found) == {"file.missing"}


def test_the_ca_of_another_file_is_not_unmanaged(plan: Path, ready: Ready, pki: Pki) -> None:
    """A pinned CA carries no mark; the file beside says whose it is. Alone it is told."""
    top = root("Pinned", now=NOW)
    raw = {"name": "by hand", "certificate": top.chain.pem, "associated_hostnames": ["b.jeann.net"]}
    state = lever(ready, "state")
    lever(ready, "state", {**state, "certificates": [*state["certificates"], raw]})
    pinned = next(c for c in lever(ready, "state")["certificates"] if c["name"] == "by hand")
    (plan.parent / "certs/top.pem").write_text(top.chain.pem, "ascii")
    chain = f"{{file: certs/top.pem, id: {pinned['id']}, sha256: {top.chain.sha256}}}"
    other = beside(
        plan,
        f"stack: other\ncertificates:\n  top: {{chain: [{chain}], associated_hostnames: [b.jeann.net]}}\n",
    )
    alone, both = check([plan], account(ready), Asked(NOW)), check([plan, other], account(ready), Asked(NOW))
    told = [[f for f in c.findings if pinned["id"] in f.address] for c in (alone[0], both[0])]
    assert [len(found) for found in told] == [1, 0]
    assert told[0][0].kind is Class.UNMANAGED


# With what


def test_what_was_declared_before_counts_only_without_the_applied_plan(plan: Path, ready: Ready) -> None:
    """And a plan of another stack is no plan of this one."""
    asked: list[Path] = []

    def before(path: Path) -> State:
        asked.append(path)
        return resolve(load(plan), NOW).state

    assert run(plan.parent.parent, ready, "plan", PLAN, "--out", "p.json").returncode == 0
    saved = load_plan((plan.parent.parent / "p.json").read_bytes(), "p.json")
    for applied, times in (((), 1), ((replace(saved, stack="other"),), 1), ((saved,), 0)):
        asked.clear()
        check([plan], account(ready), Asked(NOW, applied=applied, before=before))
        assert asked == [plan] * times


def test_what_is_said_of_applied_plans_is_said_of_their_stack(plan: Path, ready: Ready) -> None:
    """Of every file, of the one whose it is, or of none here."""
    scope = f"account:{ready.account_id}"
    notes = [replace(FORK, detail=word) for word in ("all", "ours", "theirs")]
    whose = (None, ("georgetown", scope), ("other", scope))
    (found,) = check([plan], account(ready), Asked(NOW, of_evidence=tuple(zip(whose, notes, strict=True))))
    assert found.scope == scope
    assert [n.detail for n in found.notes if n.code is FORK.code] == ["all", "ours"]


def test_what_ends_soon_is_told_of_clients_and_of_cas_that_should_be_gone(
    plan: Path, ready: Ready, pki: Pki
) -> None:
    """By the client's own certificate, not by one that it sends along; and by the day that the file names."""
    soon = pki.clients.issue("jean", now=NOW, days=10)
    (plan.parent / "certs/clientcert.pem").write_text(
        soon.certificate_pem + pki.clients.certificate.pem, "ascii"
    )
    (plan.parent / "certs/clientcert.key").unlink()  # a warning, which ends nothing
    text = plan.read_text("utf-8").replace(
        "chain: certs/certchain.pem", "chain: [{file: certs/certchain.pem, until: 2020-01-01}]"
    )
    assert "until" in text
    plan.write_text(text, "utf-8")
    (found,) = check([plan], account(ready), Asked(NOW))
    told = {f.address: f.essence for f in found.findings if f.kind is Class.EXPIRING}
    assert "client/jean" in told
    others = [essence.split()[0] for essence in told.values() if "ends " not in essence]
    assert others == ["certificate.overdue"]
    (later,) = check([plan], account(ready), Asked(NOW, within=timedelta(days=1)))
    assert "client/jean" not in {f.address for f in later.findings}


def test_what_could_not_be_seen_is_told(plan: Path, ready: Ready) -> None:
    """A host in no zone that the token sees."""
    text = plan.read_text("utf-8").replace("jeann.net", "elsewhere.test")
    plan.write_text(text, "utf-8")
    (found,) = check([plan], account(ready), Asked(NOW))
    assert "could-not-check" in classes(found)


# With real requests


@dataclass
class Fake:
    """A witness that answers as it is told."""

    answers: Callable[[Probe], Evidence]
    name: str = "fake"
    can: frozenset[int] = frozenset({1, 2})
    at_once: int = 2
    asked: list[str] = field(default_factory=list)

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        self.asked.append(probe.who)
        return self.answers(probe)


RAY = ("cf-ray", "1-FAKE")


@pytest.mark.parametrize(
    ("shut", "client", "found"),
    [
        (403, 200, []),
        (200, 200, ["unenforced"]),
        (403, None, ["could-not-check"]),
    ],
)
def test_what_real_requests_say_is_found_too(
    plan: Path, ready: Ready, pki: Pki, shut: int, client: int | None, found: list[str]
) -> None:
    """Who gets in without a certificate is an alarm; what could not be asked is no verdict."""

    def answers(probe: Probe) -> Evidence:
        status = client if probe.client else shut
        if status is None:
            return Evidence(failure=Got.UNREACHABLE, detail="no way")
        return Evidence(status, "HTTP/2", (RAY, ("cf-access-aud", "x")) if status == 403 else (RAY,))

    asked = Asked(
        NOW, witness=Fake(answers), opened=lambda clients: Wallet({"jean": pki.jean}, tuple(clients))
    )
    (checked,) = check([plan], account(ready), asked)
    assert sorted(set(classes(checked))) == found


# Confirmed


@pytest.mark.parametrize(
    ("confirm_s", "drifts", "heals", "waits", "status"),
    [
        (0, True, True, 0, Status.DRIFT),
        (7, False, True, 0, Status.CLEAN),
        (7, True, True, 1, Status.ERROR),
        (7, True, False, 1, Status.DRIFT),
    ],
)
def test_an_alarm_is_read_a_second_time(
    plan: Path, ready: Ready, confirm_s: int, drifts: bool, heals: bool, waits: int, status: Status
) -> None:
    """After the seconds that were asked for, and only an alarm; what has gone by then was a change under way."""
    whole = lever(ready, "state")
    if drifts:
        opened(ready)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if heals:
            lever(ready, "state", whole)

    (found,) = check([plan], account(ready), Asked(NOW, confirm_s=confirm_s, sleep=sleep))
    assert (slept, found.status) == ([confirm_s] * waits, status)
