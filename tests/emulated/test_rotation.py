"""A rotation: who is out afterwards is told before anything is written, and new trust is proven before old goes.

The emulator's own edge is asked, by nobody's word but its status code.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from tests.conftest import Pki
from tests.emulated.edge import Asking, Prober, files
from tests.emulated.test_main_job import PLAN, run, seen

NOW = datetime.now(UTC)
HOST, PATH = "jeann.net", "/georgetown-penang-malaysia"


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def new() -> Authority:
    return root("New Root CA", now=NOW)


def put(folder: Path, name: str, who: Identity) -> str:
    """A client's files beside the others; its entry for the plan file."""
    certs = folder / "plans/certs"
    (certs / f"{name}.pem").write_text(who.certificate_pem, "ascii")
    (certs / f"{name}.key").write_text(who.key_pem, "ascii")
    return f"certificate: certs/{name}.pem, key: certs/{name}.key"


def edit(folder: Path, *pairs: tuple[str, str]) -> None:
    text = (folder / PLAN).read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (folder / PLAN).write_text(text, "utf-8")


def status(ready: Ready, folder: Path, who: Identity) -> int:
    """What the edge answers to a client."""
    pem = files(folder, [("asked", who)])["asked"]
    return Prober(ready, []).ask_once(Asking(HOST, PATH, "asked", pem))


def written(ready: Ready) -> list[str]:
    return [r["method"] for r in seen(ready) if r["method"] != "GET"]


TO_NEW = ("certs/certchain.pem ", "certs/new.pem ")


@pytest.mark.parametrize("expect", ["allowed", None, "two"])
def test_the_scenario_of_a_client_that_was_forgotten(
    folder: Path, ready: Ready, pki: Pki, new: Authority, expect: str | None
) -> None:
    """Chain A with client a, then another chain: refused before any write, and a still gets in."""
    (folder / "plans/certs/new.pem").write_text(new.chain.pem, "ascii")
    if expect is None:
        edit(folder, (", expect: allowed", ""))
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    before = len(written(ready))
    edit(folder, TO_NEW)
    if expect == "two":
        mary = put(folder, "mary", new.issue("mary", now=NOW))
        edit(folder, ("clients: ", f"clients:\n  mary: {{{mary}, expect: allowed}}\n#"))
    for words in (["plan", PLAN], ["apply", PLAN, "-y"]):
        refused = run(folder, ready, *words)
        assert refused.returncode == 4, refused.stdout + refused.stderr
        assert ("[plan.locks-out]" if expect is None else "[plan.expect-impossible]") in refused.stderr
        assert "jean" in refused.stderr
    assert len(written(ready)) == before
    assert status(ready, folder, pki.jean) == 200
    assert run(folder, ready, "validate", PLAN).returncode == (0 if expect is None else 1)
