"""What the README and the decision say about drift checks is what the program does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cf_mtls.declare.document import WaiverDocument
from cf_mtls.planning.drift import ALARMING, Class
from tests.ci.steps import ACTION, read
from tests.ci.test_workflows import tool

ROOT = Path(__file__).parent.parent.parent
SECTION = (ROOT / "README.md").read_text("utf-8").partition("## Drift checks in CI")[2].partition("\n## ")[0]
TEXTS = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
BLOCKS: list[Any] = [yaml.safe_load(text) for text in TEXTS]


def test_the_waiver_is_one() -> None:
    """The example under `waivers:` is what a plan file takes."""
    (waivers,) = [block["waivers"] for block in BLOCKS if isinstance(block, dict) and "waivers" in block]
    assert [WaiverDocument.model_validate(w).owner for w in waivers] == ["ana"]


def test_the_workflow_has_githubs_shape(tmp_path: Path) -> None:
    """check-jsonschema takes the schedule that one copies."""
    (text,) = [text for text in TEXTS if "cron" in text and "jobs" in text]
    file = tmp_path / "drift.yml"
    file.write_text(text, "utf-8")
    words = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_step_names_inputs_and_outputs_that_exist() -> None:
    """`with` of the example, and every output that the text lists."""
    (steps,) = [block for block in BLOCKS if isinstance(block, list)]
    action = read(ACTION)
    assert set(steps[0]["with"]) <= set(action["inputs"])
    named = SECTION.partition("with outputs ")[2].partition("and more")[0]
    assert set(re.findall(r"`([a-z-]+)`", named)) <= set(action["outputs"])


@pytest.mark.parametrize("kind", Class)
def test_the_decision_says_of_every_class_whether_it_alarms(kind: Class) -> None:
    """The table of decision 0010 is the program's."""
    text = (ROOT / ".github/decisions/0010-drift-classes.md").read_text("utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {kind.value} |")]
    says = row.split(" | ")[-1].removesuffix(" |")
    assert says.startswith("yes") is (kind in ALARMING)
