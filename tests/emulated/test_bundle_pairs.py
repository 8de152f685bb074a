"""Every pair of bundles over a small PKI, ours and imported, under every answer to what is not known of the account.

Rules of this file:
- After an apply the edge admits exactly the clients that `openssl verify -purpose sslclient` admits on the declared
  bundle (with what the client sends as -untrusted where the edge uses it), or the plan was refused with its reason.
- Where the account refuses a certificate twice and what an adopted CA holds is not known, only the upload can tell: it
  is refused by its name, and the edge admits whom it admitted.
- 36 random cases by default. With CF_MTLS_BUDGET above 1 every ordered pair, once for each way in which the first may
  be the account's, in pieces by the first bundle; the answers to what is not known are drawn, once for every four of
  the budget.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

import pytest

from cf_mtls import workflow
from cf_mtls.cli.options import account as account_of_environment
from cf_mtls.diagnostics import Failure
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.plan import Allowed
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Certificate, Chain
from tests.conftest import Counted
from tests.emulated.edge import Asking, Prober, lever

BUDGET = int(os.environ.get("CF_MTLS_BUDGET", "1"))
SAMPLE = 36
NOW = datetime.now(UTC)
QUICK = {"settings-delay": 0.0, "detach-delay": 0.0, "association-delay": 0.0}
HOST = "jeann.net"

R, S = root("R", now=NOW), root("S", now=NOW)
A, B = R.intermediate("A", now=NOW), R.intermediate("B", now=NOW)
RENEWED = R.intermediate("A", now=NOW, days=900, key=A.key)
CROSSED = S.intermediate("A", now=NOW, key=A.key)
NAMESAKE = R.intermediate("A", now=NOW)
R_RENEWED = root("R", now=NOW, days=900, key=R.key)
PKI: dict[str, Authority] = {
    "A": A, "B": B, "renewed A": RENEWED, "A by S": CROSSED, "other A": NAMESAKE, "R": R,
    "renewed R": R_RENEWED, "S": S,
}  # fmt: skip
BUNDLES: tuple[tuple[str, ...], ...] = (
    ("A", "R"), ("B", "R"), ("A", "B", "R"), ("renewed A", "R"), ("A", "renewed A", "R"), ("A by S", "S"),
    ("A", "A by S", "R", "S"), ("other A", "R"), ("A", "other A", "R"), ("R",), ("A", "renewed R"), ("A", "R", "S"),
)  # fmt: skip
CLIENTS = {
    name: (issuer.issue(name.replace(" ", "-"), now=NOW), tuple(PKI[s].certificate for s in sent))
    for name, issuer, sent in (
        ("of A", A, ()), ("of A with A", A, ("A",)), ("of A with A by S", A, ("A by S",)), ("of B", B, ()),
        ("of B with B", B, ("B",)), ("of other A", NAMESAKE, ()), ("of other A with it", NAMESAKE, ("other A",)),
        ("of R", R, ()), ("of S", S, ()),
    )
}  # fmt: skip
REFUSALS = {
    "certificate.other-chain", "plan.duplicate-stays", "plan.no-way-back", "ownership.not-recorded",
    "plan.no-glitch-free-order",
}  # fmt: skip
"""Reasons for which a plan may be refused here; any other is a failure."""


def certificates(bundle: tuple[str, ...]) -> tuple[Certificate, ...]:
    return tuple(PKI[name].certificate for name in bundle)


@cache
def openssl_admits(bundle: tuple[str, ...], client: str, *, with_sent: bool) -> bool:
    """What the real `openssl verify` says."""
    identity, sent = CLIENTS[client]
    folder = Path(os.environ["PAIRS_FOLDER"])
    files = {"ca": certificates(bundle), "leaf": (identity.certificate,), "sent": sent}
    for name, held in files.items():
        (folder / f"{name}.pem").write_text("".join(c.pem for c in held), "ascii")
    roots = ["-no-CApath", "-no-CAstore", "-CAfile", str(folder / "ca.pem")]
    untrusted = ["-untrusted", str(folder / "sent.pem")] if with_sent and sent else []
    command = ["openssl", "verify", "-purpose", "sslclient", *roots, *untrusted, str(folder / "leaf.pem")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Case:
    """A pair of bundles, whose the first one is, and how the account is."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    origin: str
    twins: str
    shown: str
    with_sent: bool
    shared: bool


ORIGINS = ("ours", "imported", "adopted", "replaced")


def a_case(random: Random) -> Case:
    old, new = random.sample(BUNDLES, 2)
    return drawn(random, old, new, random.choice(("ours", "ours", *ORIGINS)))


def drawn(random: Random, old: tuple[str, ...], new: tuple[str, ...], origin: str) -> Case:
    """This pair, with any answers to what is not known."""
    return Case(
        old, new, origin,
        random.choice(("off", "first", "any", "whole")), random.choice(("first", "last")),
        random.random() < 0.5, random.random() < 0.7,
    )  # fmt: skip


def cases(piece: str) -> Iterator[tuple[str, Case, Random]]:
    """What is tried, each with its own name and chance: a sample, or every pair that begins with a bundle."""
    if piece == "sample":
        for seed in range(SAMPLE):
            random = Random(seed)
            yield str(seed), a_case(random), random
        return
    old = tuple(piece.split(" + "))
    for turn in range(max(1, BUDGET // 4)):
        for new in BUNDLES:
            for origin in ORIGINS if new != old else ():
                name = f"{turn} {piece} {new} {origin}"
                random = Random(name)
                yield name, drawn(random, old, new, origin), random


PIECES = ["sample"] if BUDGET == 1 else [" + ".join(bundle) for bundle in BUNDLES]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Ready]:
    with running(Options(switches=QUICK)) as found:
        yield found.ready


@dataclass(frozen=True)
class Stage:
    """One case on an emulated account."""

    ready: Ready
    folder: Path
    case: Case
    random: Random

    def prepared(self) -> str:
        """The account as it was; the id of a CA that somebody else uploaded, '' for none."""
        lever(self.ready, "reset", {}, "POST")
        switches = {
            "refuse-duplicate-certificate": self.case.twins, "fingerprint-block": self.case.shown,
            "use-sent-intermediates": self.case.with_sent, "share-hostname": self.case.shared,
        }  # fmt: skip
        lever(self.ready, "switches", switches, "POST")
        self.written("old", self.case.old)
        self.written("new", self.case.new)
        if self.case.origin == "ours":
            self.done("old.pem")
            return ""
        pem = Chain(certificates(self.case.old)).pem
        lever(self.ready, "state", {**lever(self.ready, "state"), "certificates": [
            {"name": "by hand", "certificate": pem, "associated_hostnames": [HOST]}
        ]})  # fmt: skip
        (raw,) = lever(self.ready, "state")["certificates"]
        return str(raw["id"])

    def written(self, name: str, bundle: tuple[str, ...]) -> None:
        """A chain file in any order."""
        blocks = [c.pem for c in certificates(bundle)]
        (self.folder / f"{name}.pem").write_text("".join(self.random.sample(blocks, len(blocks))), "ascii")

    def done(self, chain: str, adopt: str = "", more: str = "") -> None:
        """A file with this chain applied. Raises Failure when it is refused."""
        (self.folder / "p.yaml").write_text(
            f"version: 1\nstack: s\ncertificates:\n  c: {{chain: {chain}, associated_hostnames: [{HOST}]}}\n"
            f"{more}applications:\n  a: {{domain: {HOST}}}\n",
            "utf-8",
        )
        stack, where = workflow.validate(self.folder / "p.yaml", NOW), account_of_environment()
        allowed = Allowed(
            unproven=frozenset({HOST}), lockout=frozenset({HOST}), weaken=frozenset({f"https://{HOST}/"}), delete=9,
            twins=frozenset({self.case.twins} - {"off"}), one_ca_per_hostname=not self.case.shared,
            adopt=frozenset(a for a in stack.state if adopt and a.kind == "certificate"),
        )  # fmt: skip
        made = workflow.plan(stack, where, allowed)
        errors = [d for d in made.diagnostics if d.is_error]
        if errors:
            raise Failure(errors)
        workflow.apply(made, where, workflow.Hooks())
        assert workflow.plan(stack, where, allowed).is_empty

    def admitted(self) -> set[str]:
        prober = Prober(self.ready, [])
        found = set()
        for name, (identity, sent) in CLIENTS.items():
            pem = self.folder / "client.pem"
            pem.write_text(
                identity.certificate_pem + "".join(c.pem for c in sent) + identity.key_pem, "ascii"
            )
            if prober.ask_once(Asking(HOST, "/", name, pem)) == 200:
                found.add(name)
        return found


def changed(stage: Stage) -> list[tuple[str, ...]] | Failure:
    """The bundles that the last file declares, after it was applied; the failure of the plan that is refused."""
    try:
        return _changed(stage)
    except Failure as refused:
        return refused


def _changed(stage: Stage) -> list[tuple[str, ...]]:
    identifier, old = stage.prepared(), Chain(certificates(stage.case.old))
    sealed = f"old.pem, sha256: {old.sha256}"
    match stage.case.origin:
        case "ours":
            stage.done("new.pem")
            return [stage.case.new]
        case "imported":  # its chain file becomes another
            stage.done(f"{sealed}, id: {identifier}")
            stage.written("old", stage.case.new)
            stage.done(f"{sealed}, id: {identifier}")
            return [stage.case.new]
        case "adopted":  # as before, without an id
            stage.done(sealed, adopt=identifier)
            stage.written("old", stage.case.new)
            stage.done(stage.random.choice((sealed, "old.pem")))
            return [stage.case.new]
        case _:  # the new one beside the imported one, as its message says
            own = f"  n: {{chain: new.pem, associated_hostnames: [{HOST}]}}\n"
            stage.done(f"{sealed}, id: {identifier}", more=own)
            return [stage.case.old, stage.case.new]


@pytest.mark.parametrize("piece", PIECES)
def test_the_edge_admits_whom_openssl_admits_on_what_is_declared_or_the_plan_was_refused(
    emulator: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted, piece: str
) -> None:
    """Over pairs of bundles, whose they are, and every answer to what is not known."""
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(name)
    for name, value in {**emulator.exports(), "PAIRS_FOLDER": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    openssl_admits.cache_clear()
    outcomes: Counter[str] = Counter()
    for name, case, random in cases(piece):
        stage = Stage(emulator, tmp_path, case, random)
        declared = changed(stage)
        if isinstance(declared, Failure):
            refused = {d.code.code for d in declared.diagnostics if d.is_error}
            if refused == {"api.certificate-exists"} and case.origin == "adopted" and case.twins != "off":
                before = {c for c in CLIENTS if openssl_admits(case.old, c, with_sent=case.with_sent)}
                assert stage.admitted() == before, (name, case)
                outcomes[f"{case.origin}: the upload refused, nothing lost"] += 1
                continue
            assert refused <= REFUSALS, (name, case, declared)
            outcomes[f"{case.origin}: {min(refused)}"] += 1
            continue
        expected = {
            client for client in CLIENTS
            if any(openssl_admits(bundle, client, with_sent=case.with_sent) for bundle in declared)
        }  # fmt: skip
        assert stage.admitted() == expected, (name, case)
        outcomes[f"{case.origin}: as openssl verify"] += 1
    tried = f"{piece}: {outcomes.total()} pairs of bundles, {len(CLIENTS)} clients each"
    counted(f"{tried}: {dict(sorted(outcomes.items()))}")
