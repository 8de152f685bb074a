"""The section "Rehearse without Cloudflare" names what there is, and nothing that is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.main import get_command

from cf_mtls.cli.main import application
from cf_mtls.emulator.faults import KINDS, read
from cf_mtls.emulator.management import LEVERS

TOP = Path(__file__).parent.parent.parent
HEADING = "## Rehearse without Cloudflare"


def section() -> str:
    """The section, wherever at the top level it stands."""
    texts = [p.read_text("utf-8") for p in sorted(TOP.glob("README*.md"))]
    (text,) = [t for t in texts if HEADING in t]
    return HEADING + text.partition(HEADING)[2].partition("\n## ")[0]


def test_every_lever_is_documented() -> None:
    """The table of levers and the program agree, both ways."""
    named = set(re.findall(r"`(GET|POST|PUT|DELETE) ([a-z-]+)`", section()))
    assert named == set(LEVERS)


def test_every_fault_is_documented() -> None:
    """The table of faults and the program agree, both ways."""
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", section().partition("| `do` |")[2], re.MULTILINE)
    named = {kind for row in rows[:5] for kind in re.findall(r"`([\w-]+)`", row)}
    assert named == set(KINDS)


def test_every_option_is_documented() -> None:
    """Each option of the command is in the section, and each one named there exists."""
    command = get_command(application()).commands["emulate"]  # type: ignore[attr-defined]
    options = {name for p in command.params for name in p.opts if name.startswith("--")} - {"--help"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", section())) - {"--cacert", "--connect-to"}
    assert named == options - {"--port", "--edge-port"}


def test_the_example_of_faults_is_valid() -> None:
    """The JSON block can be read as it stands."""
    block = re.search(r"```json\n(.*?)```", section(), re.DOTALL)
    assert block
    assert [read(rule).do for rule in json.loads(block[1])] == ["lost", "429"]
