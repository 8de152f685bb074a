"""`cf-mtls pki` from the outside: output, exit codes, files and their modes."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cf_mtls.cli.main import run
from cf_mtls.pki import vault
from cf_mtls.pki.authority import Authority, root, self_signed
from cf_mtls.pki.identity import load_identity
from cf_mtls.pki.pem import read_certificates, read_chain
from cf_mtls.pki.pkcs12 import holds
from cf_mtls.pki.words import WORDS

AT = "2026-06-02"

Pki = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def pki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pki:
    """Runs `cf-mtls pki …` in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["pki", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def put(name: str, text: str) -> str:
    """A file in the current folder."""
    Path(name).write_text(text, "utf-8")
    return name


def fleet_of(authority: Authority, now: datetime, *names: str) -> list[str]:
    """Certificate files of clients."""
    return [put(f"{n}.pem", authority.issue(n, now=now).certificate_pem) for n in names]


def test_verify_prints_openssls_verdicts(pki: Pki, family: Authority, now: datetime) -> None:
    """A good client, a stranger, a server's certificate: OK, code 20 explained, OK with a remark."""
    chain = put("chain.pem", family.chain.pem)
    good = fleet_of(family, now, "ava")
    stranger = put("ben.pem", root("elsewhere", now=now).issue("ben", now=now).certificate_pem)
    server = family.issue("shop", now=now, extended_key_usages=("serverAuth",))
    shop = put("s.pem", server.certificate_pem)
    code, out, _ = pki("verify", "--chain", chain, "--at", AT, *good, stranger, shop)
    assert code == 1
    unsuitable = "error 26 at 0 depth lookup: unsuitable certificate purpose"
    assert out.splitlines() == [
        "ava.pem: OK",
        "ben.pem: error 20 at 0 depth lookup: unable to get local issuer certificate",
        "  at CN=ben. Nobody trusted has issued it: an intermediate is missing, or it belongs to another CA.",
        "s.pem: OK",
        f"  but a TLS server would refuse it: {unsuitable}. {WORDS[26]}",
        "2 of 3 validate.",
    ]


def test_the_purpose_decides_the_exit_code(pki: Pki, family: Authority, now: datetime) -> None:
    """A server's certificate: 0 as `openssl verify` asks, 1 as a server asks."""
    chain = put("chain.pem", family.chain.pem)
    text = family.issue("shop", now=now, extended_key_usages=("serverAuth",)).certificate_pem
    command = ("verify", "--chain", chain, "--at", AT, put("shop.pem", text))
    assert pki(*command)[0] == 0
    assert pki(*command, "--purpose", "sslclient")[0] == 1


def test_verify_takes_what_the_client_sends(pki: Pki, family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf, root trusted: refused alone, accepted with the intermediate sent."""
    top = put("root.pem", family.above[0].pem)
    client = put("ava.pem", family.issue("ava", now=now).certificate.pem)
    command = ("verify", "--chain", top, "--at", AT, client)
    assert pki(*command)[0] == 1
    assert pki(*command, "--untrusted", put("intermediate.pem", family.certificate.pem))[0] == 0


def test_verify_speaks_json(pki: Pki, family: Authority, now: datetime) -> None:
    """Both verdicts with code, depth, reason and meaning; nothing else on stdout."""
    chain = put("chain.pem", family.chain.pem)
    code, out, _ = pki("verify", "--json", "--chain", chain, "--at", AT, *fleet_of(family, now, "ava"))
    found = json.loads(out)
    assert (code, found["ok"], found["purpose"]) == (0, True, "verify")
    assert found["clients"][0]["verify"]["code"] == found["clients"][0]["sslclient"]["code"] == 0
    assert found["clients"][0]["subject"] == "CN=ava"


def test_the_fleet_is_counted_before_a_change(pki: Pki, family: Authority, now: datetime) -> None:
    """41 clients, 3 of them of the old CA that the new chain leaves out: 3 stop, each named, exit 1."""
    old = root("old CA", now=now)
    both = put("both.pem", family.chain.pem + old.chain.pem)
    new = put("new.pem", family.chain.pem)
    clients = fleet_of(family, now, *(f"new{n}" for n in range(38))) + fleet_of(old, now, "o1", "o2", "o3")
    code, out, _ = pki("verify", "--chain", both, "--against", new, "--at", AT, *clients)
    assert code == 1
    assert out.splitlines()[-1] == "After this change 3 of 41 stop validating."
    assert [line.split(":")[0] for line in out.splitlines() if "error 20" in line] == [
        "o1.pem",
        "o2.pem",
        "o3.pem",
    ]
    code, out, _ = pki("verify", "--chain", new, "--against", both, "--at", AT, *clients)
    assert (code, out.splitlines()[-1]) == (0, "After this change 0 of 41 stop validating, 3 start.")
    found = json.loads(pki("verify", "--json", "--chain", both, "--against", new, "--at", AT, *clients)[1])
    assert sum(c["stops"] for c in found["clients"]) == 3


def test_a_ca_that_is_taken_out_below_a_root_that_stays_is_not_called_out(
    pki: Pki, family: Authority, now: datetime
) -> None:
    """Its clients stop only when they send their leaf alone: said by name, for people and programs."""
    top, other = family.above[0], root("another", now=now)
    both, new = put("both.pem", family.chain.pem + other.chain.pem), put("new.pem", top.pem + other.chain.pem)
    clients = fleet_of(family, now, "ava")
    out = pki("verify", "--chain", both, "--against", new, "--at", AT, *clients)[1]
    assert out.startswith(f"{family.certificate.subject}: taken out, but a root above it stays.")
    found = json.loads(pki("verify", "--json", "--chain", both, "--against", new, "--at", AT, *clients)[1])
    assert found["still_vouched"] == [family.certificate.subject]
    gone = put("gone.pem", other.chain.pem)
    found = json.loads(pki("verify", "--json", "--chain", both, "--against", gone, "--at", AT, *clients)[1])
    assert found["still_vouched"] == []


def test_who_was_never_accepted_does_not_stop(pki: Pki, family: Authority, now: datetime) -> None:
    """A stranger before and after: exit 0, and said."""
    chain = put("chain.pem", family.chain.pem)
    stranger = put("ben.pem", self_signed("ben", now=now).certificate_pem)
    code, out, _ = pki("verify", "--chain", chain, "--against", chain, "--at", AT, stranger)
    assert code == 0
    assert "0 of 1 stop validating, 1 validate neither before nor after" in out


def test_all_unreadable_files_are_reported_at_once(pki: Pki, family: Authority, now: datetime) -> None:
    """A missing client, an empty one, a chain with a key: three problems with their files, no verdict."""
    chain = put("chain.pem", family.chain.pem + family.key_pem)
    code, out, err = pki("verify", "--chain", chain, "absent.pem", put("empty.pem", ""))
    assert (code, out) == (1, "")
    for text in (
        "[pem.private-key]",
        "chain.pem",
        "[file.missing]",
        "absent.pem",
        "[pem.empty]",
        "empty.pem",
    ):
        assert text in err
    assert family.key_pem.splitlines()[1][:20] not in err


def test_strict_adds_notes_and_changes_nothing(pki: Pki, family: Authority, now: datetime) -> None:
    """A client without alternative name: OK either way, the strict verifier's reason on stderr."""
    chain = put("chain.pem", family.chain.pem)
    code, out, err = pki("verify", "--strict", "--chain", chain, "--at", AT, *fleet_of(family, now, "ava"))
    assert (code, out.splitlines()[0]) == (0, "ava.pem: OK")
    assert "[client.strict]" in err


def test_inspect_draws_the_tree(pki: Pki, family: Authority, now: datetime) -> None:
    """Root above intermediate whatever the file's order; MD5 as Cloudflare writes it; order remarked."""
    text = "".join(c.pem for c in reversed(family.chain.certificates))
    code, out, err = pki("inspect", "--at", AT, put("chain.pem", text))
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "CN=test root (root)"
    assert "    CN=test clients (intermediate)" in lines
    md5 = ":".join(f"{byte:02X}" for byte in bytes.fromhex(family.certificate.md5))
    assert f"      MD5       {md5}" in lines
    assert "[chain.out-of-order]" in err


def test_inspect_shows_what_is_missing(pki: Pki, family: Authority) -> None:
    """(root) -> intermediate: the absent root stands in the tree by its name; exit 1."""
    code, out, err = pki("inspect", "--at", AT, put("chain.pem", family.certificate.pem))
    assert code == 1
    assert out.splitlines()[:2] == ["missing: CN=test root", "    CN=test clients (intermediate)"]
    assert "[chain.missing-root]" in err


def test_inspect_looks_at_clients_with_and_without_a_chain(
    pki: Pki, family: Authority, now: datetime
) -> None:
    """The same stranger: nothing wrong alone, an error under the chain, with the client's file as place."""
    stranger = put("ben.pem", root("elsewhere", now=now).issue("ben", now=now).certificate_pem)
    assert pki("inspect", "--at", AT, stranger)[0] == 0
    code, _, err = pki("inspect", "--at", AT, put("chain.pem", family.chain.pem), "--client", stranger)
    assert code == 1
    assert "[client.unknown-issuer]\n  ben.pem" in err


def test_inspect_shows_the_clients_in_the_tree(pki: Pki, family: Authority, now: datetime) -> None:
    """Under the CA that issued it, or under the name of one that is missing; in JSON apart, each with its file."""
    ava = put("ava.pem", family.issue("ava", now=now).certificate_pem)
    ben = put("ben.pem", root("elsewhere", now=now).issue("ben", now=now).certificate_pem)
    chain = put("chain.pem", family.chain.pem)
    command = ("inspect", "--at", AT, chain, "--client", ava, "--client", ben)
    _, out, _ = pki(*command)
    shown = [line.rstrip() for line in out.splitlines() if "CN=" in line]
    assert shown == [
        "CN=test root (root)",
        "    CN=test clients (intermediate)",
        "        CN=ava (not a CA)",
        "missing: CN=elsewhere",
        "    CN=ben (not a CA)",
    ]
    found = json.loads(pki(*command, "--json")[1])
    assert [(c["file"], c["subject"]) for c in found["clients"]] == [(ava, "CN=ava"), (ben, "CN=ben")]
    assert len(found["certificates"]) == 2


OWN_FILES = {
    "as `pki issue` writes it": (lambda f, _: [f.certificate], []),
    "with the whole chain": (lambda f, _: [*f.chain.certificates], []),
    "two levels, upper first": (lambda f, _: [*reversed(f.chain.certificates)], []),
    "with another CA behind it": (lambda f, o: [f.certificate, o.certificate], ["client.sent-astray"]),
    "with another CA only": (lambda _, o: [o.certificate], ["client.sent-astray"]),
}


@pytest.mark.parametrize("name", OWN_FILES)
def test_inspect_judges_a_clients_own_file_as_such(
    pki: Pki, family: Authority, now: datetime, name: str
) -> None:
    """The client's certificate first, then what it sends: no root is missing there, and no leaf is out of place."""
    behind, expected = OWN_FILES[name]
    sent = behind(family, root("elsewhere", now=now))
    text = "".join(c.pem for c in (family.issue("ava", now=now).certificate, *sent))
    code, _, err = pki("inspect", "--at", AT, put("ava.pem", text))
    assert sorted(re.findall(r"\[([a-z.-]+)\]", err)) == sorted(expected)
    assert code == 0
    assert "Judged as a client's own file" in err


def test_inspect_says_of_a_clients_own_file_what_is_wrong_with_the_client(
    pki: Pki, family: Authority, now: datetime
) -> None:
    """Ended, and so is the CA that it sends; as a chain, with a client asked for, the leaf is out of place."""
    day = timedelta(days=1)
    old = family.intermediate("old", now=now - 90 * day, days=60, path_length=None)
    ava = old.issue("ava", now=now - 90 * day, days=60)
    own = put("ava.pem", ava.certificate.pem + old.certificate.pem)
    code, _, err = pki("inspect", "--at", AT, own)
    assert (code, sorted(re.findall(r"\[(client[a-z.-]+)\]", err))) == (
        1, ["client.expired", "client.sent-out-of-date"],
    )  # fmt: skip
    assert "[chain.leaf]" in pki("inspect", "--at", AT, own, "--client", own)[2]


def test_inspect_speaks_json(pki: Pki, family: Authority) -> None:
    """Certificates and findings on stdout, nothing on stderr."""
    chain = put("chain.pem", family.certificate.pem)
    code, out, err = pki("inspect", "--json", "--at", AT, "--expiring-within", "9999", chain)
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert [d["code"] for d in found["diagnostics"]] == ["chain.missing-root", "chain.expiring"]
    assert found["certificates"][0]["path_length"] == 0


def test_names_in_certificates_cannot_paint_the_terminal(pki: Pki, now: datetime) -> None:
    """A subject with an escape sequence and a line break is shown harmless."""
    evil = root("a\x1b[31mb\nOK", now=now)
    code, out, err = pki("inspect", "--at", AT, put("chain.pem", evil.certificate.pem))
    assert code == 0
    assert "\x1b" not in out + err
    assert not [line for line in out.splitlines() if line.startswith("OK")]


def test_a_bad_moment_is_a_usage_error(pki: Pki, family: Authority) -> None:
    """Exit 64, and what a date looks like."""
    chain = put("chain.pem", family.chain.pem)
    code, _, err = pki("inspect", "--at", "tomorrow", chain)
    assert code == 64
    assert "2027-01-31" in err


def test_a_fleet_from_nothing(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """ca, issue by name and by list, verify, inspect, export: all agree; every private file is 0600."""
    monkeypatch.setenv("CA_PASS", "s3same")
    put("names.txt", "# the fleet\nben@example.com\n\nJean Dupont\n")
    assert pki("ca", "fleet", "--passphrase-env", "CA_PASS")[0] == 0
    code, out, _ = pki("issue", "ava.example", "--list", "names.txt", "--passphrase-env", "CA_PASS")
    assert code == 0
    clients = [line for line in out.splitlines() if line.endswith(".pem")]
    assert len(clients) == 3
    assert pki("verify", "--chain", "pki/chain.pem", "--purpose", "sslclient", *clients)[0] == 0
    assert pki("inspect", "pki/chain.pem", *(x for c in clients for x in ("--client", c)))[0] == 0
    assert pki("export", "Jean Dupont", "--p12", "--passphrase-env", "CA_PASS")[0] == 0
    private = [p for p in Path().rglob("*") if p.suffix in {".key", ".p12"}]
    assert {stat.S_IMODE(p.stat().st_mode) for p in private} == {0o600}
    assert len(private) == 6
    assert b"ENCRYPTED" in Path("pki/root.key").read_bytes()
    names = {read_certificates(Path(c).read_bytes())[0][0].common_names for c in clients}
    assert names == {("ava.example",), ("ben@example.com",), ("Jean Dupont",)}


def test_a_private_file_is_narrow_from_its_first_byte(tmp_path: Path) -> None:
    """With the widest umask, the mode with which the key's file is opened is 0600 already."""
    opened: dict[str, int] = {}

    def watching(path: Path, flags: int, mode: int) -> int:
        opened[path.name] = mode
        assert flags & os.O_EXCL
        return os.open(path, flags, mode)

    before = os.umask(0)
    try:
        files = [
            vault.File(tmp_path / "root.key", b"k", private=True),
            vault.File(tmp_path / "chain.pem", b"c"),
        ]
        vault.write(files, opener=watching)
    finally:
        os.umask(before)
    assert opened == {"root.key": 0o600, "chain.pem": 0o644}


def test_nothing_is_overwritten_by_accident(pki: Pki) -> None:
    """A second CA in the same folder: refused, every file named, none touched; --force replaces them all."""
    assert pki("ca", "fleet", "--no-encrypt")[0] == 0
    before = {p: p.read_bytes() for p in Path("pki").iterdir()}
    code, _, err = pki("ca", "fleet", "--no-encrypt")
    assert code == 1
    assert err.count("[file.exists]") == 3
    assert {p: p.read_bytes() for p in Path("pki").iterdir()} == before
    assert pki("ca", "fleet", "--no-encrypt", "--force")[0] == 0
    after = {p: p.read_bytes() for p in Path("pki").iterdir()}
    assert after.keys() == before.keys()
    assert all(after[p] != before[p] for p in before)


def test_one_name_in_the_way_stops_the_whole_list(pki: Pki) -> None:
    """Issuing ava and ben where ben exists: neither is written."""
    pki("ca", "fleet", "--no-encrypt")
    pki("issue", "ben")
    assert pki("issue", "ava", "ben")[0] == 1
    assert not Path("pki/clients/ava.pem").exists()


def test_a_link_is_not_followed(pki: Pki) -> None:
    """A key's name that is a link to elsewhere: refused, with --force too, and neither is touched."""
    Path("pki").mkdir()
    put("victim", "keep me")
    Path("pki/root.key").symlink_to(Path("victim").resolve())
    assert pki("ca", "fleet", "--no-encrypt")[0] == 1
    code, _, err = pki("ca", "fleet", "--no-encrypt", "--force")
    assert (code, "it is a symbolic link" in err) == (1, True)
    assert [p.name for p in Path("pki").iterdir()] == ["root.key"]
    assert Path("victim").read_text("utf-8") == "keep me"


@pytest.mark.parametrize(
    "names", [["../escape"], ["a" * 65], ["..."], ["ava", "AVA"], ["a/b", "a b"], ["a\tb"], [""]]
)
def test_names_cannot_leave_the_folder_or_collide(pki: Pki, names: list[str]) -> None:
    """Folders in a name become part of a plain file name; impossible and colliding names are refused."""
    pki("ca", "fleet", "--no-encrypt")
    code, _, err = pki("issue", *names)
    assert {p.parent for p in Path().rglob("*.pem")} <= {Path("pki"), Path("pki/clients")}
    assert (code, "[pki.bad-name]" in err) in {(0, False), (1, True)}
    assert (code == 0) == (names == ["../escape"])


def test_a_request_keeps_its_key(pki: Pki) -> None:
    """The client makes key and request: the certificate is for that key and name; no key is written."""
    pki("ca", "fleet", "--no-encrypt")
    new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*new, "-keyout", "own.key", "-subj", "/CN=ava", "-out", "ava.csr"], capture_output=True, check=True
    )
    code, out, _ = pki("issue", "--csr", "ava.csr")
    assert (code, out) == (0, "pki/clients/ava.pem\n")
    loaded, problems = load_identity(
        Path("pki/clients/ava.pem").read_bytes(), Path("own.key").read_bytes(), None
    )
    assert problems == ()
    assert loaded is not None
    assert loaded.certificate.common_names == ("ava",)
    assert pki("issue", "eva", "--csr", "ava.csr")[1] == "pki/clients/eva.pem\n"
    assert "[pki.one-request]" in pki("issue", "eva", "ben", "--csr", "ava.csr")[2]


def test_a_bad_request_is_refused(pki: Pki) -> None:
    """A request changed after it was signed, a weak key, and a file that is none."""
    pki("ca", "fleet", "--no-encrypt")
    new = [
        "openssl",
        "req",
        "-new",
        "-nodes",
        "-keyout",
        "k",
        "-subj",
        "/CN=ava",
        "-outform",
        "DER",
        "-newkey",
    ]
    good = subprocess.run([*new, "rsa:2048"], capture_output=True, check=True).stdout
    weak = subprocess.run([*new, "rsa:1024"], capture_output=True, check=True).stdout
    for data in (good.replace(b"ava", b"eve"), weak, b""):
        pem = base64.encodebytes(data).decode()
        text = f"-----BEGIN CERTIFICATE REQUEST-----\n{pem}-----END CERTIFICATE REQUEST-----\n"
        code, _, err = pki("issue", "--csr", put("bad.csr", text))
        assert code == 1
        assert "[pki.bad-request]" in err


def test_clients_end_with_their_ca(pki: Pki) -> None:
    """A CA of 100 days (issuing: 50), clients asked for 365: they end with the issuing CA, with a warning."""
    pki("ca", "fleet", "--no-encrypt", "--days", "100")
    _, _, err = pki("issue", "ava")
    chain, _ = read_chain(Path("pki/chain.pem").read_bytes())
    (leaf, *_), _ = read_certificates(Path("pki/clients/ava.pem").read_bytes())
    assert chain is not None
    assert "[pki.shortened]" in err
    assert leaf.not_after == chain.expires_on


def test_a_ca_without_its_own_key_cannot_issue(pki: Pki) -> None:
    """Another CA's key, no key at all, a wrong passphrase: each said, nothing issued."""
    pki("ca", "fleet", "--no-encrypt")
    pki("ca", "other", "--ca", "elsewhere", "--no-encrypt", "--no-intermediate")
    assert "[pki.key-mismatch]" in pki("issue", "ava", "--key", "elsewhere/root.key")[2]
    assert "[file.missing]" in pki("issue", "ava", "--ca", "nowhere")[2]
    put("wrong", "wrong\n")
    put("right", "right\n")
    pki("ca", "third", "--ca", "locked", "--passphrase-file", "right")
    assert (
        "[identity.passphrase-wrong]"
        in pki("issue", "ava", "--ca", "locked", "--passphrase-file", "wrong")[2]
    )
    assert pki("issue", "ava", "--ca", "locked", "--passphrase-file", "right")[0] == 0
    assert not Path("pki/clients").exists()


def test_without_a_terminal_the_flags_are_named(pki: Pki) -> None:
    """No passphrase and nobody to ask: exit 1, and what to give; an unset variable is no passphrase."""
    code, _, err = pki("ca", "fleet")
    assert code == 1
    assert "--passphrase-env or --passphrase-file, or --no-encrypt" in err
    assert "[passphrase.empty]" in pki("ca", "fleet", "--passphrase-env", "NOT_SET_ANYWHERE")[2]
    assert not Path("pki").exists()


def test_an_encrypted_client_is_exported_with_its_own_passphrase(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two secrets, two flags: the key's opens it, the file's seals it; without the first, nothing."""
    monkeypatch.setenv("KEY", "of the key")
    monkeypatch.setenv("P12", "of the file")
    pki("ca", "fleet", "--no-encrypt")
    pki("issue", "ava", "--client-passphrase-env", "KEY")
    command = ("export", "ava", "--p12", "--passphrase-env", "P12")
    assert "--client-passphrase-env" in pki(*command)[2]
    assert not Path("pki/clients/ava.p12").exists()
    assert pki(*command, "--client-passphrase-env", "KEY")[0] == 0
    loaded, _ = load_identity(
        Path("pki/clients/ava.pem").read_bytes(), Path("pki/clients/ava.key").read_bytes(), b"of the key"
    )
    assert loaded is not None
    assert holds(Path("pki/clients/ava.p12").read_bytes(), loaded, b"of the file")


def test_issuing_to_nobody_is_an_error(pki: Pki) -> None:
    """No name, and a list of comments only."""
    pki("ca", "fleet", "--no-encrypt")
    assert "[pki.nobody]" in pki("issue")[2]
    assert "[pki.nobody]" in pki("issue", "--list", put("names", "# nobody\n"))[2]


@pytest.mark.parametrize(("answers", "code"), [("s3same s3same", 0), ("s3same other", 1), ("", 1)])
def test_the_prompt_shows_nothing_and_asks_twice(tmp_path: Path, answers: str, code: int) -> None:
    """At a real terminal: equal answers make a CA, different or empty ones nothing; no answer is echoed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "cf_mtls", "pki", "ca", "fleet"])  # noqa: S606
    shown = b""
    for asked, answer in enumerate(answers.split(" "), 1):
        while shown.count(b": ") < asked:
            shown += os.read(terminal, 1024)
        os.write(terminal, answer.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:  # the terminal closes with the program
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert b"s3same" not in shown
    assert (tmp_path / "pki" / "root.key").exists() == (code == 0)


def test_the_clock_of_the_program_is_used_by_default(pki: Pki) -> None:
    """A CA made now and clients of now are valid now."""
    now = datetime.now(UTC)
    authority = root("root", now=now)
    assert (
        pki("verify", "--chain", put("chain.pem", authority.chain.pem), *fleet_of(authority, now, "ava"))[0]
        == 0
    )
