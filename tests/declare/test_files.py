"""Plan files from disk: whole or refused, and chosen without guessing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cf_mtls.declare.files import chain_files, choose, load, read_bytes
from cf_mtls.diagnostics import Diagnostic, Failure
from cf_mtls.input_file import LARGEST, read

PLAN = "version: 1\nstack: s\n"


@pytest.mark.parametrize(("more", "whole"), [(-1, True), (0, True), (1, False), (1000, False)])
def test_a_file_is_read_whole_or_refused(tmp_path: Path, more: int, whole: bool) -> None:
    """To the byte: what is larger is not cut, it is refused."""
    path = tmp_path / "f"
    path.write_bytes(b"x" * (LARGEST + more))
    found = read(path)
    if whole:
        assert found == path.read_bytes()
    else:
        assert isinstance(found, Diagnostic)
        assert found.code.code == "file.too-large"


@pytest.mark.parametrize(
    ("name", "code"), [("absent", "file.missing"), ("f/absent", "file.missing"), (".", "file.unreadable")]
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, code: str) -> None:
    """Not there, below something that is no folder, a folder."""
    (tmp_path / "f").touch()
    found = read_bytes(tmp_path / name)
    assert isinstance(found, Diagnostic)
    assert found.code.code == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xff", "file.not-text"),
        (PLAN.encode() + b"a: on\n", "yaml.ambiguous-scalar"),
        (PLAN.encode() + b"version: 1\n", "yaml.duplicate-key"),
        (b"version: 1\n", "document.missing-key"),
    ],
)
def test_a_plan_file_with_any_problem_is_refused(tmp_path: Path, raw: bytes, code: str) -> None:
    """Also when the rest of it could be understood."""
    path = tmp_path / "p.yaml"
    path.write_bytes(raw)
    with pytest.raises(Failure) as caught:
        load(path)
    assert code in {d.code.code for d in caught.value.diagnostics}


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """As some editors write it."""
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + PLAN.encode())
    assert load(path).document.stack == "s"


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([], None),
        (["plans/a.yaml"], "plans/a.yaml"),
        (["plans/a.yml"], "plans/a.yml"),
        (["plans/a.yaml", "plans/b.yaml"], None),
        (["cf-mtls.yaml", "plans/a.yaml", "plans/b.yaml"], "cf-mtls.yaml"),
        (["plans/a.yaaml"], None),
    ],
)
def test_the_only_plan_file_is_chosen_and_never_one_of_several(
    tmp_path: Path, there: list[str], chosen: str | None
) -> None:
    """This tool can delete CAs: with a choice to make it asks; what is named is always it."""
    (tmp_path / "plans").mkdir()
    for name in there:
        (tmp_path / name).write_text(PLAN, "utf-8")
    assert choose("x.yaml", tmp_path) == Path("x.yaml")
    if chosen:
        assert choose(None, tmp_path) == Path(chosen)
        return
    with pytest.raises(Failure) as caught:
        choose(None, tmp_path)
    assert [d.code.code for d in caught.value.diagnostics] == ["file.none-given"]


def test_a_chain_that_nobody_has_names_no_file(tmp_path: Path) -> None:
    """A file called unknown beside the plan is not read for it; one that is meant is written ./unknown."""
    head = f"{PLAN}certificates:\n  a: {{chain: CHAIN, associated_hostnames: [a.net], id: x"
    recorded = f", fingerprint: {'ab' * 16}, expires_on: 2035-01-01T00:00:00Z"
    path = tmp_path / "p.yaml"
    for chain, more, files in (("unknown", recorded, []), ("./unknown", "", ["./unknown"])):
        path.write_text(head.replace("CHAIN", chain) + more + "}\n", "utf-8")
        assert chain_files(load(path).document) == files
