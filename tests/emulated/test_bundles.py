"""A changed bundle reaches the edge: whatever certificate the account shows, and whatever it refuses to take twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls import workflow
from cf_mtls.cli.main import run
from cf_mtls.cli.options import account as account_of_environment
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.plan import Allowed
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Chain
from cf_mtls.planning import codec
from tests.emulated.edge import Asking, Prober, files, lever

NOW = datetime.now(UTC)
PLAN = "p.yaml"
FILE = """\
version: 1
stack: s
certificates:
  fleet: {chain: CHAIN, associated_hostnames: [jeann.net]}
applications:
  door: {domain: jeann.net}
clients:
  one: {certificate: one.pem, key: one.key, expect: allowed}
  two: {certificate: two.pem, key: two.key, expect: EXPECT}
"""
QUICK = {"settings-delay": 0.0, "detach-delay": 0.0, "association-delay": 0.0}
TOP = root("Root", now=NOW)
ONE, TWO = (TOP.intermediate(f"Issuing {n}", now=NOW) for n in ("one", "two"))
BUNDLES = {"both": (ONE, TWO, TOP), "one": (ONE, TOP), "elsewhere": (ONE, TOP, root("Else", now=NOW))}
MEANT = ("--allow-unproven", "jeann.net")
GAP = (*MEANT, "--allow-lockout", "jeann.net")


def chain(*authorities: Authority) -> Chain:
    return Chain(tuple(a.certificate for a in authorities))


@dataclass(frozen=True)
class Account:
    """An emulated account, a folder with every bundle, and a client of each issuing CA that sends its leaf alone."""

    ready: Ready
    folder: Path
    capsys: pytest.CaptureFixture[str]
    clients: dict[str, Path]

    def switch(self, **switches: object) -> None:
        lever(self.ready, "switches", {k.replace("_", "-"): v for k, v in switches.items()}, "POST")

    def cf_mtls(self, verb: str, bundle: str, *words: str) -> tuple[int, str]:
        """The exit code and everything that was said, of a verb on the file that declares a bundle."""
        expected = "allowed" if bundle == "both" else "refused"
        text = FILE.replace("CHAIN", f"ca-{bundle}.pem").replace("EXPECT", expected)
        (self.folder / PLAN).write_text(text, "utf-8")
        self.capsys.readouterr()
        code = run([verb, PLAN, *(("-y",) if verb == "apply" else ()), *words])
        said = self.capsys.readouterr()
        return int(code), said.out + said.err

    def applied(self, bundle: str) -> None:
        """The file that declares a bundle, done without the waits of a real run for an edge that is here."""
        self.cf_mtls("validate", bundle)
        stack = workflow.validate(self.folder / PLAN, NOW)
        where = account_of_environment()
        made = workflow.plan(stack, where, Allowed(unproven=frozenset({"jeann.net"})))
        assert not [d for d in made.diagnostics if d.is_error]
        workflow.apply(made, where, workflow.Hooks())

    def admits(self) -> dict[str, bool]:
        """Which clients get in now, by real requests."""
        prober = Prober(self.ready, [])
        asked = {name: Asking("jeann.net", "/", name, pem) for name, pem in self.clients.items()}
        return {name: prober.ask_once(asking) == 200 for name, asking in asked.items()}

    def names(self) -> list[str]:
        return [record["name"] for record in lever(self.ready, "state")["certificates"]]


def named(bundle: str) -> str:
    return f"fleet {chain(*BUNDLES[bundle]).sha256[:32]} (cf-mtls s)"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Ready]:
    with running(Options(switches=QUICK)) as found:
        yield found.ready


@pytest.fixture
def account(
    emulator: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Account:
    lever(emulator, "reset", {}, "POST")
    lever(emulator, "switches", {"refuse-duplicate-certificate": "off", "fingerprint-block": "first"}, "POST")
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(name)
    for name, value in emulator.exports().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    identities = {"one": ONE.issue("one", now=NOW), "two": TWO.issue("two", now=NOW)}
    for name, identity in identities.items():
        (tmp_path / f"{name}.pem").write_text(identity.certificate_pem, "ascii")
        (tmp_path / f"{name}.key").write_text(identity.key_pem, "ascii")
    for name, authorities in BUNDLES.items():
        (tmp_path / f"ca-{name}.pem").write_text(chain(*authorities).pem, "ascii")
    return Account(emulator, tmp_path, capsys, files(tmp_path, identities.items()))


@pytest.mark.parametrize("shown", ["first", "last"])
@pytest.mark.parametrize(("old", "new"), [("both", "one"), ("one", "both"), ("one", "elsewhere")])
def test_a_certificate_taken_from_a_bundle_or_added_to_it_reaches_the_edge(
    account: Account, shown: str, old: str, new: str
) -> None:
    """Not a rename: uploaded beside, the old one gone; a leaf alone gets in exactly where its issuer is."""
    account.switch(fingerprint_block=shown)
    for bundle in (old, new):
        account.applied(bundle)
        assert account.names() == [named(bundle)]
        assert account.admits() == {"one": True, "two": bundle == "both"}
        code, said = account.cf_mtls("plan", bundle, "--detailed-exitcode")
        assert (code, "No changes" in said) == (0, True), said


@pytest.mark.parametrize("used", [True, False])
def test_taking_an_issuing_ca_out_below_a_root_that_stays_is_not_called_a_withdrawal(
    account: Account, used: bool
) -> None:
    """Where the edge uses what a client sends, it still gets in; plan says so beforehand, whatever the answer is."""
    account.switch(use_sent_intermediates=used)
    account.applied("both")
    code, said = account.cf_mtls("plan", "one", *MEANT)
    assert (code, "[certificate.still-vouched]" in said) == (0, True), said
    assert "CN=Issuing two" in said
    account.applied("one")
    sends = account.folder / "sends.pem"
    sends.write_bytes(account.clients["two"].read_bytes() + TWO.certificate.pem.encode("ascii"))
    sends.chmod(0o600)
    assert account.admits() == {"one": True, "two": False}
    assert Prober(account.ready, []).ask_once(Asking("jeann.net", "/", "two", sends)) == (
        200 if used else 403
    )
    assert "[certificate.still-vouched]" not in account.cf_mtls("plan", "one")[1]


@pytest.mark.parametrize("refused", ["first", "any", "whole"])
def test_what_an_account_refuses_twice_is_told_learned_and_done_through_a_gap(
    account: Account, refused: str
) -> None:
    """Its refusal names the flag and nothing was lost; with it the plan names the gap; allowed, it goes through."""
    account.switch(refuse_duplicate_certificate=refused)
    account.applied("both")
    if refused == "whole":  # two bundles that differ may stand side by side
        assert account.cf_mtls("apply", "one", *MEANT, "--refuse-duplicate-certificate", refused)[0] == 0
        return
    code, said = account.cf_mtls("apply", "one", *MEANT)
    assert (code, "    --refuse-duplicate-certificate first" in said) == (1, True), said
    assert account.admits() == {"one": True, "two": True}
    flag = ("--refuse-duplicate-certificate", refused)
    code, said = account.cf_mtls("plan", "one", *MEANT, *flag)
    assert (code, "It fails closed" in said, "    --allow-lockout jeann.net" in said) == (4, True, True), said
    assert account.names() == [named("both")]
    code, said = account.cf_mtls("apply", "one", *GAP, *flag)
    assert code == 0, said
    assert account.names() == [named("one")]
    assert account.admits() == {"one": True, "two": False}


@pytest.mark.parametrize("refused", ["first", "any"])
def test_a_saved_plan_carries_what_the_account_refuses_twice(account: Account, refused: str) -> None:
    """Through the gap with the approved digest; without it that is refused, and so is a file with another word."""
    account.switch(refuse_duplicate_certificate=refused)
    account.applied("both")
    flag = ("--refuse-duplicate-certificate", refused)
    assert account.cf_mtls("plan", "one", *GAP, *flag, "--out", "p.json")[0] == 0
    raw = json.loads((account.folder / "p.json").read_text("utf-8"))
    ours = raw["cf_mtls"]
    assert ours["allowed"]["twins"] == [refused]
    assert [step["phase"] for step in ours["steps"]] == ["narrow", "delete", "upload", "widen"]
    forged = {**ours, "allowed": {**ours["allowed"], "twins": []}}
    content = {k: v for k, v in forged.items() if k not in {"schema", "version", "digest"}}
    forged["digest"] = codec.digest(content)
    (account.folder / "forged.json").write_text(json.dumps({**raw, "cf_mtls": forged}), "utf-8")
    assert run(["apply", "forged.json", "--expect", forged["digest"]]) == 4
    assert run(["apply", "p.json"]) == 4
    assert account.names() == [named("both")]
    assert run(["apply", "p.json", "--expect", ours["digest"]]) == 0
    assert account.names() == [named("one")]
    assert account.admits() == {"one": True, "two": False}


def test_the_old_ca_is_put_back_when_its_successor_cannot_come(account: Account) -> None:
    """The upload fails after the old one was deleted: its PEM goes up again, its clients get in, and the exit is 3."""
    account.switch(refuse_duplicate_certificate="any")
    account.applied("both")
    fault = {"do": "5xx", "when": {"method": "POST", "path": "/access/certificates", "nth": 1}}
    lever(account.ready, "faults", fault, "POST")
    code, said = account.cf_mtls("apply", "one", *GAP, "--refuse-duplicate-certificate", "any")
    assert (code, "[apply.put-back]" in said) == (3, True), said
    assert account.names() == [named("both")]
    assert account.admits() == {"one": True, "two": True}
    lever(account.ready, "faults", method="DELETE")
    assert account.cf_mtls("apply", "one", *GAP, "--refuse-duplicate-certificate", "any")[0] == 0


def test_what_could_not_be_put_back_is_never_taken_away_first(account: Account) -> None:
    """The PEM that was uploaded is nowhere here: no flag opens a gap, and nothing is written."""
    account.switch(refuse_duplicate_certificate="any")
    account.applied("both")
    (account.folder / "ca-both.pem").unlink()
    code, said = account.cf_mtls("apply", "one", *GAP, "--refuse-duplicate-certificate", "any")
    assert (code, "[plan.no-way-back]" in said) == (4, True), said
    assert account.names() == [named("both")]


def test_a_ca_that_somebody_deleted_is_put_back_without_a_word(account: Account) -> None:
    """Healing is no weakening: the file said so all along, and the same clients get in as before."""
    account.applied("both")
    state = lever(account.ready, "state")
    lever(account.ready, "state", {**state, "certificates": []})
    assert account.admits() == {"one": False, "two": False}
    code, said = account.cf_mtls("apply", "both")
    assert code == 0, said
    assert account.admits() == {"one": True, "two": True}
