"""Output files: what may be written to, how, and that every verb writes through the one function."""

from __future__ import annotations

import ast
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cf_mtls import output_file
from cf_mtls.diagnostics import Failure
from cf_mtls.pki import vault

HOUSE = Path(__file__).parent.parent / "cf_mtls"


def whole(path: Path) -> None:
    output_file.write(path, b"new")


def appended(path: Path) -> None:
    with output_file.appending(path) as stream:
        stream.write(b"new")


def forced(path: Path) -> None:
    vault.write([vault.File(path, b"new")], force=True)


WAYS: list[Callable[[Path], None]] = [whole, appended, forced, output_file.check]


def a_link(folder: Path) -> Path:
    (folder / "precious").write_bytes(b"precious")
    (folder / "out").symlink_to(folder / "precious")
    return folder / "out"


def a_dangling_link(folder: Path) -> Path:
    (folder / "out").symlink_to(folder / "precious")
    return folder / "out"


def a_link_to_a_stream(folder: Path) -> Path:
    (folder / "out").symlink_to("/dev/stdout")
    return folder / "out"


def a_link_to_a_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    (folder / "out").symlink_to(folder / "fifo")
    return folder / "out"


def a_device(_: Path) -> Path:
    return Path("/dev/null")


def a_terminal(_: Path) -> Path:
    return Path("/dev/tty") if Path("/dev/tty").exists() else Path("/dev/zero")


def a_socket(folder: Path) -> Path:
    short = Path(os.path.relpath(folder / "out"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
    return folder / "out"


def a_folder(folder: Path) -> Path:
    (folder / "out").mkdir()
    return folder / "out"


REFUSED = [
    a_link, a_dangling_link, a_link_to_a_stream, a_link_to_a_fifo, a_device, a_terminal, a_socket, a_folder,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("place", REFUSED, ids=lambda f: f.__name__)
def test_what_is_no_regular_file_is_refused(
    way: Callable[[Path], None], place: Callable[[Path], Path], tmp_path: Path
) -> None:
    """A link (also to nothing, to a stream, to a FIFO), a device, a socket, a folder: said, and nothing is touched."""
    path = place(tmp_path)
    before = sorted((p.name, p.lstat().st_mode) for p in tmp_path.iterdir())
    with pytest.raises(Failure) as caught:
        way(path)
    assert str(path) in caught.value.diagnostics[0].detail
    assert sorted((p.name, p.lstat().st_mode) for p in tmp_path.iterdir()) == before
    if place is a_link:
        assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o444])
def test_a_file_that_was_there_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    """The content is another file's, put in its place; the mode is the one that somebody chose."""
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(mode)
    kept = path.stat().st_ino
    whole(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)
    assert path.stat().st_ino != kept
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_private_file_is_made_narrow_whatever_it_was(tmp_path: Path) -> None:
    """A key is written over a file that everybody could read."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o666)
    vault.write([vault.File(path, b"key", private=True)], force=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    """As any program's: 0666 without the bits of the umask."""
    before = os.umask(0o027)
    try:
        whole(tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_name_laid_out_beforehand_is_not_followed(tmp_path: Path) -> None:
    """`out.new` as a link to something precious, the name that other programs write beside to, is left alone."""
    (tmp_path / "precious").write_bytes(b"precious")
    for name in ("out.new", "out.tmp", ".out"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    whole(tmp_path / "out")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_nobody_reads_half_a_file(tmp_path: Path) -> None:
    """While a file is replaced again and again, whoever reads it sees one content or the other, whole."""
    path, contents = tmp_path / "out", [b"a" * 500_000, b"b" * 500_000]
    output_file.write(path, contents[0])
    done = threading.Event()

    def replacing() -> None:
        for index in range(60):
            output_file.write(path, contents[index % 2])
        done.set()

    thread = threading.Thread(target=replacing)
    thread.start()
    reads = 0
    while not done.is_set():
        assert path.read_bytes() in contents
        reads += 1
    thread.join()
    assert reads > 5


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """The write fails half-way: the old content stays, and nothing lies beside it."""
    code = (
        "import resource, signal, sys; from pathlib import Path; from cf_mtls import output_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "output_file.write(Path(sys.argv[1]), b'x' * 5000)\n"
    )
    path = tmp_path / "out"
    path.write_bytes(b"old")
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "File too large" in ran.stderr
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# Written through


@pytest.mark.parametrize("way", [whole, appended], ids=lambda f: f.__name__)
def test_a_fifo_is_written_through_when_somebody_comes_to_read_it(
    way: Callable[[Path], None], tmp_path: Path
) -> None:
    """The reader comes later; the FIFO is still one afterwards."""
    path, got = tmp_path / "fifo", []
    os.mkfifo(path)

    def reading() -> None:
        time.sleep(0.2)
        got.append(path.read_bytes())

    thread = threading.Thread(target=reading)
    thread.start()
    way(path)
    thread.join()
    assert got == [b"new"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_fifo_that_nobody_reads_is_no_hang(tmp_path: Path) -> None:
    """It is waited for, and then said."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Failure, match="nobody reads it"):
        output_file.write(tmp_path / "fifo", b"new", reader_s=0.2)


WRITE = "import sys; from pathlib import Path; from cf_mtls import output_file\nprint('first')\n"


@pytest.mark.parametrize(
    "then",
    [
        "output_file.write(Path('/dev/stdout'), b'new')",
        "output_file.appending(Path('/dev/stdout')).write(b'new')",
    ],
)
def test_stdout_is_this_processs_own_stream_whatever_it_is(then: str, tmp_path: Path) -> None:
    """A pipe, and a file that already holds something: nothing is cut off, the order is kept."""
    code = [sys.executable, "-c", WRITE + then]
    assert subprocess.run(code, capture_output=True, text=True, check=True).stdout == "first\nnew"
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("a") as log:
        subprocess.run(code, stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "before\nfirst\nnew"


def test_a_shells_process_substitution_is_written_through(tmp_path: Path) -> None:
    """`>(program)` is a link to a pipe in /dev/fd."""
    code = f"{WRITE}output_file.write(Path(sys.argv[1]), b'new')"
    command = f"{sys.executable} -c \"$CODE\" >(cat > '{tmp_path}/got') >/dev/null; sleep 0.3"
    subprocess.run(["bash", "-c", command], env={**os.environ, "CODE": code}, check=True)
    assert (tmp_path / "got").read_bytes() == b"new"


# One function

OWN_FOLDERS = {
    "output_file": "it is the function",
    "input_file": "it only reads",
    "pki/vault": "new files only, by O_EXCL",
    "story": "in a temporary folder of its own",
    "emulator/nginx": "in a temporary folder of its own",
    "emulator/machine": "in a temporary folder of its own",
    "verify/private": "in memory, or in a temporary folder of its own",
}
"""Who opens files for writing, and why that is no path that somebody named."""

WRITERS = {
    "write_text",
    "write_bytes",
    "touch",
    "mkstemp",
    "NamedTemporaryFile",
    "copy",
    "copyfile",
    "rename",
}


def writes(tree: ast.AST) -> list[str]:
    """Every call of a file that makes or opens a file for writing."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            said = " ".join(ast.unparse(a) for a in [*node.args, *(k.value for k in node.keywords)])
            opens = (
                name == "open" and owner != "tarfile" and any(f"'{m}" in said for m in ("w", "a", "x", "r+"))
            )
            makes = name in WRITERS and (name != "copy" or owner == "shutil")
            if opens or makes or (owner == "os" and name == "open"):
                found.append(f"{owner}.{name}")
    return found


@pytest.mark.parametrize("path", sorted(HOUSE.rglob("*.py")), ids=lambda p: p.stem)
def test_nobody_else_opens_a_file_for_writing(path: Path) -> None:
    """A new place that writes files fails here until it goes through `output_file`."""
    name = path.relative_to(HOUSE).with_suffix("").as_posix()
    if name not in OWN_FOLDERS:
        assert writes(ast.parse(path.read_text("utf-8"))) == []
