"""Saved plans and the command that follows a plan, on the emulator, as people and attackers use them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.emulated.test_main_job import PLAN, run, seen


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def next_command(said: str) -> list[str]:
    """The words behind `cf-mtls` in the command that plan shows next."""
    return shlex.split(said.partition("Next:\n")[2].splitlines()[0])[1:]


def test_the_next_command_does_what_the_plan_showed(folder: Path, ready: Ready) -> None:
    """After --target only the target is changed; after --out the digest is in it."""
    shown = run(folder, ready, "plan", PLAN, "--target", "settings/jeann.net")
    words = next_command(shown.stderr)
    assert words == ["apply", PLAN, "--target", "settings/jeann.net"]
    run(folder, ready, *words, "-y")
    assert [r["method"] for r in seen(ready) if r["method"] != "GET"] == ["PUT"]
    shown = run(folder, ready, "plan", PLAN, "--out", "p.json")
    digest = json.loads((folder / "p.json").read_text("utf-8"))["cf_mtls"]["digest"]
    assert next_command(shown.stderr) == ["apply", "p.json", "--expect", digest]
    done = run(folder, ready, *next_command(shown.stderr))
    assert (done.returncode, "Proven" in done.stdout) == (0, True), done.stderr


def test_a_plan_file_in_json_syntax_is_a_plan_file_for_every_verb(folder: Path, ready: Ready) -> None:
    """What a file is, is decided by its content, and alike by all of them."""
    import yaml

    (folder / "plans/g.json").write_text(
        json.dumps(yaml.safe_load((folder / PLAN).read_text("utf-8"))), "utf-8"
    )
    for verb in (["validate"], ["plan"], ["apply", "-y"], ["verify"], ["drift"]):
        ran = run(folder, ready, *verb, "plans/g.json")
        assert ran.returncode == 0, (verb, ran.stderr)
    run(folder, ready, "plan", PLAN, "--out", "p.json")
    for verb in ("validate", "plan", "drift"):
        ran = run(folder, ready, verb, "p.json")
        assert ran.returncode == 1
        assert "file.saved-plan" in ran.stderr + ran.stdout, verb
