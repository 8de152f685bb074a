"""Which files of a folder are plan files is decided by reading them, and every file below is accounted for."""

from __future__ import annotations

import ctypes
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cf_mtls.declare import search
from cf_mtls.declare.files import load
from cf_mtls.diagnostics import Failure

PLANS: dict[str, bytes] = {
    "plain.yaml": b"version: 1\nstack: x\n",
    "quoted.yaml": b'version: 1\n"stack": x\n',
    "single.yaml": b"version: 1\n'stack': x\n",
    "escaped.yaml": b'version: 1\n"\\x73tack": x\n',
    "spaced.yaml": b"version: 1\nstack : x\n",
    "flow.yaml": b"{version: 1, stack: x, applications: {}}\n",
    "flow-lines.yaml": b"{\n  version: 1,\n  stack: x\n}\n",
    "explicit.yaml": b"? version\n: 1\n? stack\n: x\n",
    "indented.yaml": b"  version: 1\n  stack: x\n",
    "UPPER.YAML": b"version: 1\nstack: x\n",
    "Mixed.Yml": b"version: 1\nstack: x\n",
    "short.yml": b"version: 1\nstack: x\n",
    "json.json": b'{"version": 1, "stack": "x"}',
    "json.yaml": b'{"version": 1, "stack": "x"}',
    "UPPER.JSON": b'{"version": 1, "stack": "x"}',
    "yaml-in.json": b"version: 1\nstack: x\n",
    "bom.yaml": b"\xef\xbb\xbfversion: 1\nstack: x\n",
    "bom.json": b'\xef\xbb\xbf{"version": 1, "stack": "x"}',
    "commented.yaml": b"# first\n\n# words\nversion: 1\nstack: x\n",
    "marked.yaml": b"%YAML 1.2\n---\nversion: 1\nstack: x\n",
    "dashes.yaml": b"---\nversion: 1\nstack: x\n...\n",
    "crlf.yaml": b"version: 1\r\nstack: x\r\n",
    "last.yaml": b"version: 1\napplications: {}\nstack: x",
    "hidden/.dot.yaml": b"version: 1\nstack: x\n",
    ".hidden/in.yaml": b"version: 1\nstack: x\n",
    "deep/er/still/x.yaml": b"version: 1\nstack: x\n",
    "name\nof two lines.yaml": b"version: 1\nstack: x\n",
    "\udcff.yaml": b"version: 1\nstack: x\n",
}
"""Each is a plan file without a fault."""

WRONG: dict[str, bytes] = {
    "no-version.yaml": b"stack: x\n",
    "no-name.yaml": b"version: 1\nstack:\n",
    "no-stack.yaml": b"version: 1\napplications: {}\n",
    "twice.yaml": b"version: 1\nstack: x\nstack: y\n",
    "second-document.yaml": b"a: 1\n---\nversion: 1\nstack: x\n",
    "anchored.yaml": b"version: &a 1\nstack: x\n",
    "tagged.yaml": b"version: 1\nstack: !!str x\n",
    "broken-behind.yaml": b"version: 1\nstack: x\napplications: [\n",
    "too-deep.yaml": b"version: 1\nstack: x\na: " + b"[" * 60 + b"]" * 60,
    "list.yaml": b"version: 1\nstack: [x]\n",
}
"""Each is meant as a plan file and has a fault, which the check of that file says."""

OTHERS: dict[str, bytes] = {
    "workflow.yml": b"on: push\njobs: {a: {steps: [{run: 'stack: x'}]}}\n",
    "compose.yaml": b"version: '3'\nservices: {stack: {image: x}}\n",
    "nested.yaml": b"plan:\n  version: 1\n  stack: x\n",
    "text.yaml": b"a: |\n  stack: x\n",
    "several.yaml": b"kind: A\n---\nkind: B\n",
    "anchors.yaml": b"a: &x {b: 1}\nc: {<<: *x}\n",
    "list.yaml": b"- stack\n- x\n",
    "scalar.yaml": b"stack\n",
    "empty.yaml": b"",
    "only-comments.yaml": b"# stack: x\n",
    "package.json": b'{"name": "a", "version": "1.0.0", "scripts": {"stack": "x"}}',
    "array.json": b'[{"stack": "x"}]',
    "saved.json": b'{"format_version": "1.2", "cf_mtls": {"stack": "x"}}',
    "report.json": b'{"cf_mtls": {"schema": 1, "kind": "drift"}, "stacks": []}',
    "client.pem": b"-----BEGIN CERTIFICATE-----\n",
    "README.md": b"stack: x\n",
    "prod.yaml.bak": b"version: 1\nstack: x\n",
    "yaml": b"version: 1\nstack: x\n",
}
"""None is a plan file, and that can be told."""

UNREAD: dict[str, tuple[bytes, str]] = {
    "broken.yaml": (b"a: [\n", "yaml.syntax"),
    "template.yaml": (b"{{- if x }}\na: b\n{{- end }}\n", "yaml.syntax"),
    "cut.json": (b'{"version": 1, "stac', "yaml.syntax"),
    "tab.yaml": (b"a:\n\t- b: c\n", "yaml.syntax"),
    "control.yaml": (b"a: \x00\n", "yaml.syntax"),
    "latin.yaml": (b"a: \xff\n", "file.not-text"),
    "utf16.yaml": ("version: 1\nstack: x\n".encode("utf-16"), "file.not-text"),
    "large.yaml": (b"a: b\n" * 500_000, "file.too-large"),
    "deep.yaml": (b"a: " + b"[" * 60 + b"]" * 60 + b"\nstack: x\n", "yaml.too-deep"),
}
"""Each could be a plan file, and nobody can tell."""


def written(folder: Path, files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)


def names(folder: Path, paths: object) -> set[str]:
    return {str(path.relative_to(folder)) for path in paths}  # type: ignore[attr-defined]


def test_every_form_of_a_plan_file_is_one(tmp_path: Path) -> None:
    """However YAML spells it, whatever its suffix's case: 28 forms, each of which the program reads without a fault."""
    written(tmp_path, PLANS)
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == set(PLANS)
    assert (found.unread, found.is_whole) == ({}, True)
    assert {search.outline_of(path).stack for path in found.paths} == {"x"}
    for path in found.paths:
        assert load(path).document.stack == "x"


def test_a_plan_file_with_a_fault_is_one_all_the_same(tmp_path: Path) -> None:
    """What is meant as one is judged, and its own fault is said; none is left out."""
    written(tmp_path, WRONG)
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == set(WRONG)
    assert found.unread == {}
    for path in found.paths:
        with pytest.raises(Failure):
            load(path)


def test_what_is_none_is_counted_with_the_reason(tmp_path: Path) -> None:
    """Beside one plan file: each other file has its reason, and none of them is judged."""
    written(tmp_path, {"one.yaml": PLANS["plain.yaml"], **OTHERS})
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == {"one.yaml"}
    assert {Path(p).name for p, _ in found.others} == set(OTHERS)
    assert all(why for _, why in found.others)
    assert found.is_whole
    assert f"{len(OTHERS) + 1} files" in found.line
    assert "1 plan file" in found.line


@pytest.mark.parametrize("name", UNREAD)
def test_what_could_be_one_and_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    """It is among the paths with its reason and its place, hides no other, and the folder is not covered whole."""
    raw, code = UNREAD[name]
    written(tmp_path, {"one.yaml": PLANS["plain.yaml"], name: raw})
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == {"one.yaml", name}
    (problem,) = found.unread.values()
    assert problem.code.code == code
    assert problem.place
    assert problem.place.file == str(tmp_path / name)
    assert bool(problem.place.line) is code.startswith("yaml.")
    assert problem.source == ""  # it is nobody's plan file yet: its content is shown nowhere
    assert not found.is_whole
    assert "1 that could not be read" in found.line


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    """A FIFO, a socket, a link to nothing, to itself, to a device, to what gives no bytes: each could not be read."""
    written(tmp_path, {"one.yaml": PLANS["plain.yaml"]})
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "nothing.yaml").symlink_to("gone")
    (tmp_path / "itself.json").symlink_to("itself.json")
    (tmp_path / "null.yml").symlink_to("/dev/null")
    (tmp_path / "memory.yaml").symlink_to("/proc/self/mem")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket.yaml"))
        found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.unread) == {
        "fifo.yaml", "nothing.yaml", "itself.json", "null.yml", "memory.yaml", "socket.yaml",
    }  # fmt: skip
    assert [Path(p).name for p, _ in found.others] == ["fifo"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """This thread's access to files is that of somebody without privileges, also when root runs the tests."""
    libc = ctypes.CDLL(None)
    if os.geteuid() == 0:
        libc.setfsuid(65534)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            libc.setfsuid(0)


def test_what_may_not_be_read_is_said() -> None:
    """A file and a folder without permission: each with its reason, and the plan file beside them is found."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        files = {"one.yaml": b"stack: x\n", "shut.yaml": b"stack: y\n", "shut/in.yaml": b"stack: z\n"}
        written(folder, files)
        (folder / "shut.yaml").chmod(0)
        (folder / "shut").chmod(0)
        with as_nobody():
            found = search.plan_files([made])
        (folder / "shut").chmod(0o700)
    assert names(folder, found.paths) == {"one.yaml", "shut.yaml", "shut"}
    assert {d.code.code for d in found.unread.values()} == {"file.unreadable"}
    assert names(folder, found.unread) == {"shut.yaml", "shut"}


def test_links_are_decided(tmp_path: Path) -> None:
    """A second name of a file counts once; a file elsewhere is read; a folder elsewhere is said."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    written(inside, {"a/one.yaml": b"stack: one\n"})
    written(outside, {"two.yaml": b"stack: two\n", "f/three.yaml": b"stack: three\n"})
    (inside / "same.yaml").symlink_to("a/one.yaml")
    os.link(inside / "a/one.yaml", inside / "a/hard.yaml")
    (inside / "two.yaml").symlink_to(outside / "two.yaml")
    (inside / "b").symlink_to("a")
    (inside / "a/up").symlink_to("..")
    (inside / "itself").symlink_to("itself")
    (inside / "elsewhere").symlink_to(outside / "f")
    found = search.plan_files([str(inside)])
    assert names(inside, found.paths) == {"a/hard.yaml", "two.yaml", "elsewhere"}
    assert {p.name: d.code.code for p, d in found.unread.items()} == {"elsewhere": "stacks.link"}
    reasons = {str(Path(p).relative_to(inside)): why for p, why in found.others}
    assert set(reasons) == {"a/one.yaml", "same.yaml", "b", "a/up", "itself"}
    assert "a/hard.yaml" in reasons["same.yaml"]
    both = search.plan_files([str(inside), str(inside / "elsewhere")])
    assert both.unread == {}
    assert names(inside, both.paths) == {"a/hard.yaml", "two.yaml", "elsewhere/three.yaml"}


def test_what_is_not_looked_into_is_said(tmp_path: Path) -> None:
    """A repository's own store, installed packages and a virtual environment: not searched, and named; others are."""
    skipped = [".git", "node_modules", "a/.terraform", "env"]
    written(tmp_path, {f"{folder}/x.yaml": b"stack: x\n" for folder in skipped})
    written(tmp_path, {"env/pyvenv.cfg": b"", ".github/y.yaml": b"stack: y\n"})
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == {".github/y.yaml"}
    assert {str(Path(p).relative_to(tmp_path)) for p in found.skipped} == set(skipped)
    assert all(Path(folder).name in found.line for folder in skipped)
    assert names(tmp_path, search.plan_files([str(tmp_path / ".git")]).paths) == {".git/x.yaml"}


def test_a_folder_of_too_many_files_is_not_covered(tmp_path: Path) -> None:
    """What was looked at is judged, and the folder could not be read."""
    written(tmp_path, {f"{n}.yaml": b"stack: x\n" for n in range(9)})
    found = search.plan_files([str(tmp_path)], most=8)
    assert [d.code.code for d in found.unread.values()] == ["stacks.too-many"]
    assert len(found.paths) == 8 + 1
    assert search.plan_files([str(tmp_path)], most=9).is_whole


def test_a_folder_without_a_plan_file_is_an_error(tmp_path: Path) -> None:
    """Alone it ends the call; beside one that has some it is could not be read, in its own place."""
    written(tmp_path, {"a/x.yaml": b"stack: x\n", "b/y.yaml": b"other: y\n"})
    (tmp_path / "c").mkdir()
    for name in ("b", "c"):
        with pytest.raises(Failure) as caught:
            search.plan_files([str(tmp_path / name)])
        assert [d.code.code for d in caught.value.diagnostics] == ["stacks.none"]
    found = search.plan_files([str(tmp_path / name) for name in "abc"])
    assert names(tmp_path, found.unread) == {"b", "c"}
    assert names(tmp_path, found.paths) == {"a/x.yaml", "b", "c"}
    assert not found.is_whole


def test_a_folder_of_what_cannot_be_read_has_no_other_fault(tmp_path: Path) -> None:
    """It is not said to hold no plan file: that is not known."""
    written(tmp_path, {"broken.yaml": b"a: [\n"})
    found = search.plan_files([str(tmp_path)])
    assert names(tmp_path, found.paths) == {"broken.yaml"}
    assert [d.code.code for d in found.unread.values()] == ["yaml.syntax"]


def test_what_the_program_wrote_may_be_large(tmp_path: Path) -> None:
    """A saved plan beyond the size of a plan file is known as one."""
    saved = b'{"format_version": "1.2", "cf_mtls": {}, "stack": "' + b"x" * 2_100_000 + b'"}'
    written(tmp_path, {"one.yaml": PLANS["plain.yaml"], "saved.json": saved})
    found = search.plan_files([str(tmp_path)])
    assert (names(tmp_path, found.paths), found.is_whole) == ({"one.yaml"}, True)


def test_files_that_are_named_are_taken_as_named(tmp_path: Path) -> None:
    """Each once, whatever its name, whether or not it is there; no folder was searched, so nothing is covered whole."""
    written(tmp_path, {"x.txt": b"stack: x\n", "f/y.yaml": b"stack: y\n"})
    typed = [str(tmp_path / "x.txt"), str(tmp_path / "gone.yaml")]
    found = search.plan_files(typed)
    assert [str(p) for p in found.paths] == typed
    assert (found.folders, found.is_whole, found.line) == ((), False, "")
    again = search.plan_files([str(tmp_path / "f/y.yaml"), str(tmp_path / "f")])
    assert names(tmp_path, again.paths) == {"f/y.yaml"}
    assert again.is_whole


def test_the_account_of_a_folder_as_data(tmp_path: Path) -> None:
    """Every file is in one of the three lists, or in the count of those whose names say that they are none."""
    written(tmp_path, {**PLANS, **{f"w/{n}": raw for n, raw in WRONG.items()}})
    written(tmp_path, {f"o/{n}": raw for n, raw in OTHERS.items()})
    written(tmp_path, {f"u/{n}": raw for n, (raw, _) in UNREAD.items()})
    data = search.plan_files([str(tmp_path)]).data
    listed = [
        *data["plan_files"],
        *(o["file"] for o in [*data["not_plan_files"], *data["could_not_be_read"]]),
    ]
    assert len(set(listed)) == len(listed)
    every = {str(p) for p in tmp_path.rglob("*") if p.is_file()}
    assert set(listed) <= every
    assert len(listed) + data["not_by_their_names"] == len(every)
    assert (data["whole"], data["folders"]) == (False, [str(tmp_path)])
