"""Which files are meant: those that are named, and in a folder those that are plan files by what stands in them.

Rules of this file:
- A file is a plan file when its top holds `stack`, or `version` beside a section of ours, however YAML spells it;
  whether it is right is for the check to say.
- Every file below a folder is accounted for: a plan file, none (with the reason), or one that could be one and could
  not be read. Nothing is left out in silence, and nothing that is no regular file is opened.
- Only a name that ends in .yaml, .yml or .json, in either case, can be a plan file's here; any other can be named.
- Folders behind links are not searched: what lies inside is found by itself, what lies elsewhere could not be read.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_mtls import input_file
from cf_mtls.declare import yaml_text
from cf_mtls.declare.files import NOT_TEXT, is_saved_plan
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Place, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_PLANS = Code("stacks.none", Severity.ERROR, Fault.INVOCATION, "there are no plan files")
ELSEWHERE = Code("stacks.link", Severity.ERROR, Fault.FILE, "a link to a folder elsewhere is not followed")
TOO_MANY = Code("stacks.too-many", Severity.ERROR, Fault.INVOCATION, "a folder holds too many files")

SUFFIXES = frozenset({".yaml", ".yml", ".json"})

SECTIONS = ("certificates", "hostname_settings", "applications", "clients", "waivers", "removed")
"""Of a plan file: with `version` beside one of them a file is meant as one, though its `stack` was forgotten."""

SKIPPED = frozenset({
    ".git", ".hg", ".svn", ".terraform", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__",
    "node_modules",
})  # fmt: skip
"""Names of folders that programs fill: not looked into, and named. A virtual environment is one by its pyvenv.cfg."""

MOST = 100_000
"""Files below a folder that are looked at."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file says of itself at its top, '' for what it does not."""

    stack: str = ""
    scope_id: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one call, and what became of every other file below its folders."""

    paths: tuple[Path, ...]
    """What is to be judged, in the order in which it was named, sorted within a folder; those in `unread` too."""
    unread: dict[Path, Diagnostic] = field(default_factory=dict)
    """What could be a plan file, or hold some, and could not be read; a folder without any plan file."""
    others: tuple[tuple[str, str], ...] = ()
    """What is no plan file, with the reason."""
    skipped: tuple[Path, ...] = ()
    """Folders that were not looked into."""
    folders: tuple[Path, ...] = ()
    """The folders that were named."""

    @property
    def is_whole(self) -> bool:
        """Whether every plan file below the named folders is among `paths` and could be read; False without a folder.

        Not checked: what lies in `skipped`.
        """
        return bool(self.folders) and not self.unread

    @property
    def in_folders(self) -> tuple[Path, ...]:
        """The plan files below the folders."""
        return tuple(
            path for path in self.paths
            if path not in self.unread and any(path.is_relative_to(folder) for folder in self.folders)
        )  # fmt: skip

    @property
    def line(self) -> str:
        """`plans: 9 files: 3 plan files, 5 not plan files, 1 that could not be read.`, '' without a folder."""
        if not self.folders:
            return ""
        plans, unread = len(self.in_folders), len(self.unread)
        counts = [_counted(plans, "plan file"), _counted(len(self.others), "not plan file", "not plan files")]
        counts += [f"{unread} that could not be read"] if unread else []
        where = ", ".join(map(str, self.folders))
        total = _counted(plans + len(self.others) + unread, "file")
        names = ", ".join(map(str, self.skipped))
        return f"{where}: {total}: {', '.join(counts)}.{f' Not looked into: {names}.' if names else ''}"

    @property
    def data(self) -> dict[str, Any]:
        """The same as JSON data: every file that could have been a plan file by its name, the others counted."""
        listed = [(file, why) for file, why in self.others if _may_be_one(Path(file))]
        return {
            "whole": self.is_whole,
            "folders": list(map(str, self.folders)),
            "plan_files": list(map(str, self.in_folders)),
            "not_plan_files": [{"file": file, "why": why} for file, why in listed],
            "not_by_their_names": len(self.others) - len(listed),
            "could_not_be_read": [{"file": str(path), "why": _why(d)} for path, d in self.unread.items()],
            "not_looked_into": list(map(str, self.skipped)),
            "says": self.line,
        }


def _why(problem: Diagnostic) -> str:
    return f"{problem.code.summary}: {problem.detail}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def plan_files(named: Sequence[str], most: int = MOST) -> Found:
    """The files of these names: a file is itself, a folder is searched. Each once.

    most: how many files below a folder are looked at; of a larger one it is said that it could not be read.

    Raises Failure when the folders hold no plan file and nothing that could be one. A folder without any, beside
    others that have some, is in `unread`.
    """
    folders = tuple(dict.fromkeys(Path(name) for name in named if _is_folder(Path(name))))
    typed = [Path(name) for name in named if Path(name) not in folders]
    search = _Search(
        seen={key: path for path in typed if (key := _identity(path))}, named=set(folders), most=most
    )
    paths: dict[Path, None] = {}
    for name in map(Path, named):
        paths |= dict.fromkeys(search.folder(name) if name in folders else [name])
    if search.none and len(search.none) == len(paths):
        raise Failure(list(search.none.values()))
    unread = {path: why for path, why in search.unread.items() if path not in typed}
    skipped = tuple(path for path in search.skipped if path not in folders)
    return Found(tuple(paths), unread, tuple(search.others), skipped, folders)


def outline_of(path: Path) -> Outline:
    """What a plan file says of itself; nothing of one that cannot be read."""
    found = _read(path)
    if isinstance(found, Diagnostic):
        return Outline()
    keys = yaml_text.top(found, str(path)).keys
    return Outline(keys.get("stack", ""), keys.get("account_id", "") or keys.get("zone_id", ""))


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _may_be_one(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _read(path: Path) -> str | Diagnostic:
    """The text of a file that could be a plan file."""
    raw = input_file.read(path, input_file.LARGEST_PLAN)
    if isinstance(raw, Diagnostic):
        return raw
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return NOT_TEXT.found(
            f"{path}: byte {error.start} is not UTF-8.", "Save it as UTF-8.", Place(str(path))
        )


def _why_none(path: Path) -> str | Diagnostic:
    """Why a file is no plan file, '' when it is one, or why that could not be told."""
    if _is_ours(path):
        return "a plan or a report that cf-mtls wrote"
    text = _read(path)
    if isinstance(text, Diagnostic):
        return text
    if not any(word in text for word in ("stack", *SECTIONS, "\\")) and yaml_text.is_yaml(text):
        return "other YAML or JSON" if text.strip() else "empty"
    if (keys := _json_keys(text)) is not None:
        return "" if _is_meant(keys) else "other YAML or JSON"
    found = yaml_text.top(text, str(path))
    if _is_meant(found.keys):
        return ""
    if found.problem:
        return found.problem
    return "other YAML or JSON" if found.is_mapping else "it holds no mapping"


def _is_meant(keys: dict[str, Any]) -> bool:
    return "stack" in keys or ("version" in keys and any(section in keys for section in SECTIONS))


def _is_ours(path: Path) -> bool:
    """Whether it is a saved plan or a report, which may be larger than a plan file."""
    raw = input_file.read(path, input_file.LARGEST_REPORT) if path.suffix.lower() == ".json" else b""
    return isinstance(raw, bytes) and is_saved_plan(raw)


def _json_keys(text: str) -> dict[str, Any] | None:
    """The top of a JSON text, {} when it is no object; None for what is no JSON. Far quicker than as YAML."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else {}


class _Search:
    """The search of the folders of one call."""

    def __init__(self, seen: dict[tuple[int, int], Path], named: set[Path], most: int) -> None:
        self.most = most
        self.seen = seen
        """The files that were named or found, by what they are on the disk."""
        self.named = named
        self.unread: dict[Path, Diagnostic] = {}
        self.none: dict[Path, Diagnostic] = {}
        self.others: list[tuple[str, str]] = []
        self.skipped: list[Path] = []

    def folder(self, root: Path) -> list[Path]:
        """What is to be judged below a folder, sorted: plan files, and what could not be read; itself when none is."""
        before = set(self.unread)
        candidates = list(self._candidates(root))
        found = [
            path for path in sorted(candidates, key=lambda p: (p.is_symlink(), p)) if self._is_plan(path)
        ]
        unread = set(self.unread) - before
        if not found and not unread:
            self.unread[root] = self.none[root] = self._nothing(root)
            return [root]
        return sorted({*found, *unread})

    def _candidates(self, root: Path) -> Iterator[Path]:
        """The files below a folder that could be a plan file by their names."""
        for count, path in enumerate(self._below(root)):
            if count == self.most:
                detail = f"There are more than {self.most:,} below {root}; the rest was not looked at."
                self.unread[root] = TOO_MANY.found(
                    detail, "Name the folder of the plan files.", Place(str(root))
                )
                return
            if _may_be_one(path):
                yield path
            else:
                self.others.append((str(path), f"its name does not end in {', '.join(sorted(SUFFIXES))}"))

    def _nothing(self, root: Path) -> Diagnostic:
        reasons = Counter(why for file, why in self.others if Path(file).is_relative_to(root))
        listed = "; ".join(f"{_counted(n, 'file')}: {why}" for why, n in reasons.most_common())
        skipped = ", ".join(str(path) for path in self.skipped if path.is_relative_to(root))
        fix = f"Not looked into: {skipped}. To search one, name it." if skipped else ""
        return NO_PLANS.found(
            f"Nothing below {root} is a plan file ({listed or 'it is empty'}).", fix, Place(str(root))
        )

    def _is_plan(self, path: Path) -> bool:
        same = self.seen.setdefault(_identity(path) or (0, id(path)), path)
        if same != path:
            self.others.append((str(path), f"another name of {same}"))
            return False
        why = _why_none(path)
        if isinstance(why, Diagnostic):
            self.unread[path] = why
        elif why:
            self.others.append((str(path), why))
        return why == ""

    def _below(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder, links to files too; what becomes of a folder that is not searched is noted."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                entries = sorted(os.scandir(here), key=lambda entry: entry.name)
            except OSError as error:
                detail = f"{here}: {error.strerror}."
                self.unread[here] = input_file.UNREADABLE.found(
                    detail, "Name a folder that you may read.", Place(str(here))
                )
                continue
            for entry in entries:
                path = here / entry.name
                if not _is_folder(path):
                    yield path
                elif path in self.named:
                    continue  # it is searched for itself
                elif entry.is_symlink():
                    self._link(path, folder)
                elif entry.name in SKIPPED or _identity(path / "pyvenv.cfg"):
                    self.skipped.append(path)
                else:
                    waiting.append(path)

    def _link(self, path: Path, root: Path) -> None:
        """A link to a folder: one that is searched by itself, or one elsewhere."""
        inside = path.resolve().is_relative_to(top := root.resolve())
        if inside and not SKIPPED.intersection(path.resolve().relative_to(top).parts):
            self.others.append((str(path), "a link to a folder that is searched itself"))
        else:
            detail = f"{path} leads to {path.resolve()}."
            self.unread[path] = ELSEWHERE.found(
                detail, "Name the folder beside the others.", Place(str(path))
            )
