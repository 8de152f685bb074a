"""The house as a table: who may import whom, which door each foreign package has, who may do I/O.

A file imports only from a lower floor. Add a row when you add a file; the test fails until you do.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "cf_mtls"

ROOMS: tuple[tuple[str, str], ...] = (
    ("", "__init__ child_process quick | diagnostics | input_file output_file"),
    (
        "model",
        "asked coverage ends frozen marks waiver | resources | people | evidence | rules state doors | plan",
    ),
    ("access", "groups match | decide | reach | beyond scene | doors | explain"),
    ("report", "terminal"),
    (
        "pki",
        "blocks chain keys kin opening usages | forge pem | identity template | authority strict traits | rules",
    ),
    (
        "pki",
        "vouching chain_rules client_rules strength_rules | lint words fleet pkcs12 requests tree vault | issuing",
    ),
    (
        "declare",
        "yaml_text values example fleet semantics | application_document | document | border schema | files | search",
    ),
    ("declare", "ledger added_waivers | trust applications | clients | resolve"),
    (
        "planning",
        "canon contents duplicates feasible host_settings leaving withdrawal write_only",
    ),
    (
        "planning",
        "diff ownership moves codec | grounds | foreign | basis",
    ),
    ("planning", "admission board | succession | guard | search | gates order reliance"),
    (
        "planning",
        "saved approval | planfile declared_again | planfile_reader | drift baseline | check watched",
    ),
    ("bring", "match select yaml_out | entries | draft first | folder"),
    ("remote", "bounds shape stages | gateway wire | conflicts | pace errors | pages token_end"),
    ("remote", "elsewhere apply | snapshot doctor_shapes | doctor | findings"),
    ("remote", "account_checks host_checks | diagnosis"),
    ("verify", "answer answered connect outlook private proofs stopwatch | claim expect judge line"),
    ("verify", "ca_keys handshake resumption wallet wrong tunnel"),
    ("verify", "browser_page witness httpx_probe | browser_probe curl_probe"),
    ("report", "door_text safe | plan_text proof_text pki markup style doctor_text"),
    ("report", "account_text explain_text proof_many timeline remedies drift_data | drift_text"),
    ("report", "html junit junit_drift markdown proof_json"),
    ("ci", "github event | mark outputs reading | comment issue"),
    ("emulator", "clock http peer pem policy store switches | answers http1 minting origin registry options"),
    (
        "emulator",
        "bodies http2 rates rules plain contexts | sessions tokens verdict | faults domains tls world",
    ),
    ("emulator", "paging | catalogue certificates edge groups mischief | policies settings | attach | apps"),
    ("emulator", "apppolicies state | management routes | api | nginx | machine | server"),
    ("", "workflow proving ends | rotation | bringing settle story checking"),
    (
        "cli",
        "console | options journal passphrase live history many ci_step applied_plans waivers",
    ),
    (
        "cli",
        "proof plan_many | applied",
    ),
    ("cli", "validate plan verify show explain demo emulate pki_make drift stacks"),
    ("cli", "importer doctor init schema completion version | apply ci_run pki | ci | main"),
    ("", "__main__"),
)
"""Rooms from the ground up, each with its own floors between bars: a file imports only from what stands before."""

FLOORS: tuple[tuple[str, ...], ...] = tuple(
    tuple(f"{room}/{name}" if room else name for name in row.split())
    for room, rows in ROOMS
    for row in rows.split("|")
)

DOORS: dict[str, tuple[str, ...]] = {
    "OpenSSL": (
        "pki/",
        "emulator/contexts",
        "emulator/tls",
        "emulator/verdict",
        "verify/handshake",
        "verify/line",
        "verify/resumption",
    ),
    "cloudflare": ("remote/gateway",),
    "cryptography": ("pki/", "emulator/minting", "emulator/pem", "emulator/tls", "emulator/verdict"),
    "h11": ("emulator/",),
    "h2": ("emulator/",),
    "httpcore": ("remote/bounds", "verify/httpx_probe"),
    "httpx": ("ci/github", "remote/bounds", "remote/gateway", "verify/httpx_probe"),
    "playwright": ("verify/browser_page",),
    "pydantic": (
        "declare/border",
        "declare/document",
        "declare/application_document",
        "declare/values",
    ),
    "typer": ("cli/",),
    "yaml": ("declare/",),
}
"""Package to the files (or folders, with a slash) that may import it. Others may import no third party."""

DISTRIBUTIONS = {"OpenSSL": "pyopenssl", "yaml": "pyyaml"}
"""What a package is installed as, where that is another word."""

PURE = (
    "diagnostics",
    "quick",
    "model/",
    "access/",
    "planning/",
    "report/",
    "bring/entries",
    "bring/first",
    "bring/match",
    "bring/select",
    "bring/yaml_out",
    "remote/account_checks",
    "remote/conflicts",
    "remote/diagnosis",
    "remote/findings",
    "remote/host_checks",
    "remote/shape",
    "ci/comment",
    "ci/event",
    "ci/issue",
    "ci/outputs",
    "ci/reading",
    "emulator/policy",
    "verify/answer",
    "verify/answered",
    "verify/claim",
    "verify/expect",
    "verify/judge",
    "verify/outlook",
    "verify/proofs",
    "verify/wrong",
)
"""No I/O, no clock, no randomness: these come in as arguments."""

IMPURE_MODULES = {
    "asyncio", "http", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil",
    "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today"}

STRANGERS: dict[str, tuple[str, ...]] = {
    "emulator/": ("remote", "model", "access", "planning", "declare", "verify")
}
"""Reality and theory are written twice on purpose: the emulator imports none of these."""


def name_of(path: Path) -> str:
    """`planning/diff` for cf_mtls/planning/diff.py; a folder's own __init__ is not a resident."""
    return path.relative_to(HOUSE).with_suffix("").as_posix()


FILES = {
    name_of(p): ast.parse(p.read_text("utf-8"))
    for p in sorted(HOUSE.rglob("*.py"))
    if p.name != "__init__.py" or p.parent == HOUSE
}
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(tree: ast.AST) -> list[str]:
    """Every module imported anywhere in the file, function bodies and type-checking blocks included."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.append(node.module or "")
            if node.module and node.module.startswith("cf_mtls"):
                found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def residents(tree: ast.AST) -> set[str]:
    """The files of the house that this one imports."""
    names = {
        m.removeprefix("cf_mtls").lstrip(".").replace(".", "/") or "__init__"
        for m in imports(tree)
        if m.startswith("cf_mtls")
    }
    return names & FILES.keys()


def inside(name: str, rooms: tuple[str, ...]) -> bool:
    """Whether a file is one of the rooms, or in one that ends with a slash."""
    return any(name == room or (room.endswith("/") and name.startswith(room)) for room in rooms)


def test_every_file_stands_on_one_floor() -> None:
    """The table and the folder agree, and no file is listed twice."""
    listed = [name for names in FLOORS for name in names]
    assert sorted(FILES) == sorted(listed)


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_only_from_lower_floors(name: str) -> None:
    """No circles, and nothing reaches up."""
    too_high = {other for other in residents(FILES[name]) - {"__init__"} if FLOOR_OF[other] >= FLOOR_OF[name]}
    assert not too_high


@pytest.mark.parametrize("name", FILES)
def test_foreign_packages_enter_by_their_door(name: str) -> None:
    """A package is imported by its own room, so that it can be replaced there."""
    import sys

    foreign = {m.split(".")[0] for m in imports(FILES[name])} - set(sys.stdlib_module_names) - {"cf_mtls"}
    assert {p for p in foreign if not inside(name, DOORS.get(p, ()))} == set()


def test_what_is_installed_is_imported_and_what_is_imported_is_installed() -> None:
    """Every dependency of pyproject.toml has a door and every door a dependency: nothing comes along for nothing."""
    import tomllib

    project = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["browser"]]
    names = {re.split(r"[<>=\[ ]", dependency)[0].lower() for dependency in declared}
    imported = {m.split(".")[0] for tree in FILES.values() for m in imports(tree)}
    assert names == {DISTRIBUTIONS.get(package, package) for package in DOORS}
    assert set(DOORS) <= imported


@pytest.mark.parametrize("name", [n for n in FILES if inside(n, PURE)])
def test_pure_files_do_no_io(name: str) -> None:
    """Clock, randomness, files and sockets come in as arguments."""
    modules = {m for m in imports(FILES[name]) if m in IMPURE_MODULES or m.split(".")[0] in IMPURE_MODULES}
    calls = {
        call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        for call in ast.walk(FILES[name])
        if isinstance(call, ast.Call) and isinstance(call.func, (ast.Name, ast.Attribute))
    }
    assert modules == set()
    assert calls & IMPURE_CALLS == set()


@pytest.mark.parametrize("name", FILES)
def test_strangers_stay_strangers(name: str) -> None:
    """The emulator shares no wire code and no theory with the client."""
    banned = tuple(
        f"cf_mtls.{s}" for room, strangers in STRANGERS.items() if inside(name, (room,)) for s in strangers
    )
    assert [m for m in imports(FILES[name]) if banned and m.startswith(banned)] == []
