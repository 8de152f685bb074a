"""The `run:` steps of actions and workflows, run as GitHub runs them: real bash, real output files."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

STRICT = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
PLAIN = ["bash", "-e"]
"""With `shell: bash` GitHub adds pipefail, without `shell:` it does not."""

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read(path: Path) -> Any:
    """A YAML file as GitHub reads it: `on` is a word."""
    return yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only text


def steps_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of an action or a workflow with a name for it."""
    found = read(path)
    jobs = found.get("jobs") or {"": found.get("runs", {})}
    for name, job in jobs.items():
        for index, step in enumerate(job.get("steps", [])):
            yield f"{path.name}:{name}:{step.get('name', index)}", step


@dataclass
class Runner:
    """A job's memory: inputs and other contexts by their dotted names, and what the steps left."""

    folder: Path
    contexts: dict[str, str]
    environment: dict[str, str]
    cancelled: bool = False
    failed: bool = False
    said: str = ""
    codes: dict[str, int] = field(default_factory=dict)

    def text(self, written: str) -> str:
        """A value with its expressions filled in; what is unknown is empty, as on GitHub."""
        return _EXPRESSION.sub(lambda found: self._first(found[1].split(" || ")), written)

    def _first(self, names: list[str]) -> str:
        """As `a || b` does: the first that is not empty."""
        return next((value for name in names if (value := self.contexts.get(name, ""))), "")

    def outputs(self, action: Mapping[str, Any]) -> dict[str, str]:
        """What the action gives to the steps after it."""
        return {name: self.text(output["value"]) for name, output in action["outputs"].items()}

    def wanted(self, condition: str | None) -> bool:
        """Whether a step runs: without a status function only while nothing failed."""
        inner = _EXPRESSION.fullmatch(condition or "")
        words = inner[1] if inner else (condition or "true")
        has_status = "cancelled()" in words
        words = (
            words.replace("!cancelled()", str(not self.cancelled))
            .replace("&&", " and ")
            .replace("||", " or ")
        )
        names = sorted(set(re.findall(r"[a-z]+(?:\.[a-z_-]+)+", words)), key=len, reverse=True)
        for name in names:
            words = words.replace(name, repr(self.contexts.get(name, "")))
        holds = eval("True" if words == "true" else words)  # noqa: S307 - our own action's conditions
        return bool(holds) and (has_status or not self.failed)

    def run(self, step: Mapping[str, Any]) -> int | None:
        """The exit code of a step, None when it was skipped or is another action."""
        if "run" not in step or not self.wanted(step.get("if")):
            return None
        files = {
            name: self.folder / f"{name}.{len(self.codes)}"
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.write_text("")
        own = {name: self.text(value) for name, value in step.get("env", {}).items()}
        shell = STRICT if step.get("shell") == "bash" else PLAIN
        done = subprocess.run(
            [*shell, "-c", step["run"]], cwd=self.folder / self.text(step.get("working-directory", ".")),
            env={**self.environment, **{n: str(f) for n, f in files.items()}, **own},
            capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.said += done.stdout + done.stderr + "".join(f.read_text("utf-8") for f in files.values())
        self._remember(step.get("id", step.get("name", "")), done.returncode, files["GITHUB_OUTPUT"])
        return done.returncode

    def _remember(self, name: str, code: int, outputs: Path) -> None:
        self.codes[name] = code
        self.failed = self.failed or code != 0
        self.contexts[f"steps.{name}.outcome"] = "failure" if code else "success"
        for key, value in parsed(outputs.read_text("utf-8")).items():
            self.contexts[f"steps.{name}.outputs.{key}"] = value


def parsed(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it: `name=value`, or `name<<delimiter` and lines up to the delimiter."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n")[:-1])
    for line in lines:
        name, several, delimiter = line.partition("<<")
        if several and "=" not in name:
            value = []
            for inner in lines:
                if inner == delimiter:
                    break
                value.append(inner)
            found[name] = "\n".join(value)
        else:
            name, _, value_text = line.partition("=")
            found[name] = value_text
    return found


def stubs(folder: Path, names: list[str], code: int) -> dict[str, str]:
    """An environment in which these programs only end with a code, and note that they were called."""
    programs = folder / "bin"
    programs.mkdir()
    for name in names:
        stub = programs / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> "{folder}/called"\nexit {code}\n')
        stub.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
