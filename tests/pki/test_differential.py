"""`pki verify` against the `openssl verify` binary: every chain of the matrix, both ways of asking.

Nothing is special-cased: exit code, error code and depth must all be OpenSSL's. The count is printed with -s
and in the test's own record; CF_MTLS_BUDGET multiplies the random chains.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import chain_matrix_known
import chain_matrix_own
import pytest
from chain_cases import DRAWINGS, EARLY, NOW, OVER, ROWS, Case, line
from cryptography.hazmat.backends.openssl.backend import backend

from cf_mtls.cli.main import run
from cf_mtls.pki.chain import judge
from cf_mtls.pki.lint import lint_chain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cf_mtls.pki.pem import Certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl binary is not installed")

Captured = pytest.CaptureFixture[str]
Counted = Callable[[str], None]
Verdict = tuple[bool, int, int]
"""Whether it is OK, OpenSSL's first error code, and its depth; zeros when OK."""

PURPOSES = {"verify": (), "sslclient": ("-purpose", "sslclient")}

_ERROR = re.compile(r"error (\d+) at (\d+) depth lookup")


def write(folder: Path, case: Case) -> list[str]:
    """The case as files: the arguments that openssl and we share after the chain."""
    for name, certificates in (("chain", case.trusted), ("leaf", [case.leaf]), ("sent", case.sent)):
        (folder / f"{name}.pem").write_text("".join(c.pem for c in certificates))
    return ["--untrusted", str(folder / "sent.pem")] if case.sent else []


def of_openssl(folder: Path, case: Case, purpose: str, epoch: int) -> Verdict:
    """What the binary says: its exit code, and its first error."""
    sent = ["-untrusted", str(folder / "sent.pem")] if case.sent else []
    command = [
        "openssl",
        "verify",
        "-attime",
        str(epoch),
        *PURPOSES[purpose],
        "-CAfile",
        str(folder / "chain.pem"),
    ]
    done = subprocess.run(
        [*command, *sent, str(folder / "leaf.pem")], capture_output=True, text=True, check=False
    )
    found = _ERROR.search(done.stderr + done.stdout)
    assert (done.returncode == 0) == (found is None), done.stderr
    return (True, 0, 0) if found is None else (False, int(found[1]), int(found[2]))


def of_ours(folder: Path, sent: Sequence[str], purpose: str, at: str, capsys: Captured) -> Verdict:
    """What `cf-mtls pki verify` says: its exit code must fit its words."""
    chain = ["--chain", str(folder / "chain.pem"), "--at", at, "--purpose", purpose]
    code = run(["pki", "verify", "--json", *chain, *sent, str(folder / "leaf.pem")])
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)["clients"][0][purpose]
    assert code == (0 if found["ok"] else 1)
    return found["ok"], found["code"], found["depth"]


def disagreements(
    cases: Iterator[tuple[str, Case]], folder: Path, capsys: Captured
) -> tuple[int, int, list[str]]:
    """How many verdicts were compared, how many were OK, and those where we differ."""
    compared, accepted, differ = 0, 0, []
    for name, case in cases:
        sent = write(folder, case)
        for purpose in PURPOSES:
            theirs = of_openssl(folder, case, purpose, int(case.at.timestamp()))
            ours = of_ours(folder, sent, purpose, case.at.isoformat(), capsys)
            compared, accepted = compared + 1, accepted + theirs[0]
            if ours != theirs:
                differ.append(f"{name} [{DRAWINGS.get(name, '')}], {purpose}: openssl {theirs}, we {ours}")
    return compared, accepted, differ


def test_the_matrix_is_complete() -> None:
    """All 86 named chains and at least 34 more, none twice."""
    assert chain_matrix_known.R
    assert chain_matrix_own.RL
    assert len(ROWS) >= 120


def test_every_chain_of_the_matrix_has_openssls_verdict(
    tmp_path: Path, capsys: Captured, counted: Counted
) -> None:
    """Both questions about every chain: exit code, error code and depth are those of the binary."""
    compared, accepted, differ = disagreements(((n, build()) for n, build in ROWS.items()), tmp_path, capsys)
    counted(f"{len(ROWS)} chains, {compared} verdicts compared, {accepted} OK, {len(differ)} differ")
    assert differ == []
    assert compared == 2 * len(ROWS)
    assert compared * 0.3 < accepted < compared * 0.8  # both answers are well represented


def test_the_last_second_is_as_the_library_has_it(tmp_path: Path, capsys: Captured) -> None:
    """At the very second of notAfter OpenSSL 4 says valid, as RFC 5280 4.1.2.5 does; older ones say expired.

    The one known moment at which our verdict and that of another OpenSSL than ours can differ.
    """
    case = Case(*_ends_now())
    sent = write(tmp_path, case)
    ours = of_ours(tmp_path, sent, "verify", NOW.isoformat(), capsys)
    assert ours == ((True, 0, 0) if backend.openssl_version_number() >= 0x40000000 else (False, 10, 0))
    theirs = of_openssl(tmp_path, case, "verify", int(NOW.timestamp()))
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    assert theirs == ((False, 10, 0) if int(version.split()[1].split(".")[0]) < 4 else (True, 0, 0))


def _ends_now() -> tuple[tuple[Certificate, ...], Certificate]:
    made = line(leaf={"not_after": NOW})
    return made.all, made.leaf


PALETTE: tuple[dict[str, object], ...] = (
    {}, {}, {}, {}, OVER, EARLY, {"version": 1}, {"ca": False}, {"ca": None}, {"ca": True},
    {"path_length": 0}, {"path_length": 1},
    {"key_usages": ()}, {"key_usages": ("keyCertSign",)}, {"key_usages": ("keyEncipherment",)},
    {"extended_key_usages": ("serverAuth",)}, {"extended_key_usages": ("clientAuth",)},
    {"extended_key_usages": ()}, {"subject_key_identifier": False}, {"authority_key_identifier": False},
    {"permitted": ("DNS:example",)}, {"excluded": ("DNS:example",)}, {"signature": "sha1"},
    {"key_type": "ec384"}, {"key_type": "rsa2048"}, {"key_type": "ed25519"},
    {"extra": (("1.2.3.4", True, b"\x05\x00"),)}, {"extra": (("1.2.3.4", False, b"\x05\x00"),)},
)  # fmt: skip
"""What a certificate of a random chain may differ in; mostly nothing."""


def random_case(seed: int) -> Case:
    """A chain of random depth, each certificate with a random change, parts of it trusted, sent or lost."""
    rng = random.Random(seed)

    def change(*, signs: bool) -> dict[str, object]:
        chosen = dict(rng.choice(PALETTE)) if rng.random() < 0.5 else {}
        if chosen.get("path_length") is not None and not signs:
            chosen = {}
        return chosen

    mids = [change(signs=True) for _ in range(rng.randrange(4))]
    try:
        made = line(change(signs=True), mids, change(signs=False))
    except ValueError:  # SHA-1 by Ed25519 has no name: such a certificate cannot be
        return random_case(seed + 1_000_003)
    everything = list(made.all)
    rng.shuffle(everything)
    trusted = tuple(c for c in everything if rng.random() < 0.85) or made.all[:1]
    return Case(trusted, made.leaf, tuple(c for c in everything if rng.random() < 0.3))


def test_random_chains_have_openssls_verdict(
    tmp_path: Path, capsys: Captured, budget: int, counted: Counted
) -> None:
    """Chains that nobody thought of: the same agreement. Each is named by its seed."""
    cases = ((f"seed {seed}", random_case(seed)) for seed in range(60 * budget))
    compared, accepted, differ = disagreements(cases, tmp_path, capsys)
    counted(f"{compared // 2} random chains, {compared} verdicts, {accepted} OK, {len(differ)} differ")
    assert differ == []
    assert 0 < accepted < compared


def test_lint_has_an_error_wherever_openssl_refuses() -> None:
    """Whatever OpenSSL would not accept cannot be planned: no chain of the matrix slips through the lint.

    What the client sends is left out: nobody knows whether Cloudflare's edge uses it.
    """
    slipped = [name for name, case in all_cases() if not linted(case) and not judged(case)]
    assert slipped == []


def test_lint_has_no_error_of_its_own_about_good_chains() -> None:
    """Where OpenSSL accepts and lint does not, it is Cloudflare's documents or a gap."""
    codes = {code for _, case in all_cases() if judged(case) for code in linted(case)}
    assert codes <= {
        "chain.signature", "chain.version-1", "chain.not-a-ca", "chain.leaf", "chain.missing-root",
        "chain.missing-intermediate", "chain.path-length", "chain.expired", "chain.refused",
    }  # fmt: skip


@cache
def all_cases() -> list[tuple[str, Case]]:
    """The matrix and some random chains, without what clients send."""
    rows = [(name, build()) for name, build in ROWS.items()]
    return [*rows, *((f"seed {seed}", random_case(seed)) for seed in range(300))]


def judged(case: Case) -> bool:
    """OpenSSL's verdict on the uploaded chain alone."""
    return judge([c.der for c in case.trusted], case.leaf.der, at=case.at).ok


def linted(case: Case) -> list[str]:
    """The codes of lint's errors about the chain and the client."""
    found = lint_chain(case.trusted, at=case.at, clients=[case.leaf])
    return [d.code.code for d in found if d.is_error]
