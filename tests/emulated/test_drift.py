"""Drift as people meet it: the real program on the emulator, class by class, stack by stack."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from cf_mtls.checking import Asked, check
from cf_mtls.diagnostics import Diagnostic, bug
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.emulator.tokens import ALL
from cf_mtls.pki.authority import root
from cf_mtls.planning.drift import Class, Status
from cf_mtls.remote.pace import Pace
from cf_mtls.workflow import Account
from tests.ci.steps import parsed
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN, seen

NOW = datetime.now(UTC)
APP = "application/jeann.net/georgetown-penang-malaysia"


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The account as the first apply left it."""
    return {}


@pytest.fixture
def closed(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A folder whose plan is applied."""
    if not kept:
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        kept |= lever(ready, "state")
    lever(ready, "state", kept)
    return folder


def change(ready: Ready, table: str, **members: Any) -> None:
    """Somebody edits the first thing of a table behind our back."""
    state = lever(ready, "state")
    state[table][0] |= members
    lever(ready, "state", state)


def drift(folder: Path, ready: Ready, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON; only GETs were sent."""
    before = len(seen(ready))
    ran = run(folder, ready, "drift", *words, "--json", **more)
    assert {r["method"] for r in seen(ready)[before:]} <= {"GET"}
    assert ran.stdout, ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, data


def classes(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f["class"], f["address"]) for s in data["stacks"] for f in s["findings"]]


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def edited(folder: Path, old: str, new: str) -> None:
    text = (folder / PLAN).read_text("utf-8")
    assert old in text
    (folder / PLAN).write_text(text.replace(old, new), "utf-8")


OPEN = {"decision": "bypass", "include": [{"everyone": {}}]}


def test_clean_is_0_and_reads_the_account_once(closed: Path, ready: Ready) -> None:
    """Nothing found, seven GETs and two of the zone, and with --verify two proofs on top."""
    before = len(seen(ready))
    code, data = drift(closed, ready, PLAN)
    assert (code, data["status"], classes(data)) == (0, "clean", [])
    assert len(seen(ready)) - before <= 9
    assert drift(closed, ready, PLAN, "--verify")[0] == 0


def test_drift_is_2_in_every_form_with_a_stable_fingerprint(closed: Path, ready: Ready) -> None:
    """Text, JSON, Markdown and JUnit agree; two runs have one fingerprint; other drift has another."""
    change(ready, "policies", **OPEN)
    ran = run(closed, ready, "drift", PLAN, "--out", "a.json", "--markdown", "a.md", "--junit", "a.xml")
    assert ran.returncode == 2
    assert ran.stdout.rstrip().endswith(f"drift: {PLAN}, stack georgetown (1 drift)")
    assert f"drift {APP}" in ran.stdout
    first = json.loads((closed / "a.json").read_text("utf-8"))["stacks"][0]
    assert first["findings"][0]["line"] > 1
    assert "bypass" in (closed / "a.md").read_text("utf-8")
    assert ET.parse(closed / "a.xml").getroot().find("testsuite").get("failures") == "1"  # type: ignore[union-attr] # noqa: S314
    lever(ready, "faults", [{"do": "shuffle", "when": {}}], "POST")
    again = drift(closed, ready, PLAN)[1]["stacks"][0]
    assert again["fingerprint"] == first["fingerprint"] != ""
    change(ready, "policies", decision="allow")
    assert drift(closed, ready, PLAN)[1]["stacks"][0]["fingerprint"] != first["fingerprint"]
    lever(ready, "faults", method="DELETE")


def test_what_cannot_be_read_is_1_and_never_clean(closed: Path, ready: Ready) -> None:
    """A server error, a wrong token, a broken file, no file: could-not-check, whatever else is true."""
    change(ready, "policies", **OPEN)
    code, data = drift(closed, ready, PLAN, CLOUDFLARE_API_TOKEN="cfat_wrong-canary")
    assert (code, data["status"], data["complete"]) == (1, "error", False)
    assert "canary" not in json.dumps(data)
    (closed / "plans/broken.yaml").write_text("version: 1\nstack: [\n")
    code, data = drift(closed, ready, "plans/broken.yaml", "plans/none.yaml")
    assert (code, [s["status"] for s in data["stacks"]]) == (1, ["error", "error"])


def test_one_broken_stack_hides_no_other(closed: Path, ready: Ready) -> None:
    """A folder with a clean, a drifted and a broken stack: three verdicts, and the code of the drift."""
    other = root("Other CA", now=NOW)
    (closed / "plans/certs/other.pem").write_text(other.chain.pem, "ascii")
    (closed / "plans/melaka.yaml").write_text(
        "version: 1\nstack: melaka\ncertificates:\n"
        "  m: {chain: certs/other.pem, associated_hostnames: [www.jeann.net]}\n"
    )
    (closed / "plans/zz.yaml").write_text("version: 1\nstack: zz\nsurprise: 1\n")
    before = len(seen(ready))
    ran = run(closed, ready, "drift", "plans", "--out", "all.json")
    data = json.loads((closed / "all.json").read_text("utf-8"))
    assert ran.returncode == 2
    assert [s["status"] for s in data["stacks"]] == ["clean", "drift", "error"]
    assert [line.split(":")[0] for line in ran.stdout.strip().splitlines()[-4:]] == [
        "clean", "drift", "could not check", "drift",
    ]  # fmt: skip
    assert len(seen(ready)) - before <= 9  # one account, read once
    assert run(closed, ready, "ci", "gate", "all.json").returncode == 2
    assert run(closed, ready, "ci", "gate", "all.json", "--no-fail-on-drift").returncode == 1


def test_many_plans_have_a_verdict_each(closed: Path, ready: Ready) -> None:
    """Side by side: one without changes, one that cannot be read; the error wins and hides nothing."""
    (closed / "plans/zz.yaml").write_text("version: 1\nstack: zz\nsurprise: 1\n")
    ran = run(closed, ready, "plan", "plans", "--detailed-exitcode")
    assert ran.returncode == 1
    assert ran.stdout.strip().splitlines()[-3:] == [
        f"{PLAN}: No changes. Account {ready.account_id} is as the file declares it.",
        "plans/zz.yaml: error",
        "plans: 5 files: 2 plan files, 3 not plan files.",
    ]
    change(ready, "policies", **OPEN)
    ran = run(closed, ready, "plan", PLAN, "plans/zz.yaml", "--detailed-exitcode")
    assert f"{PLAN}: Plan: 0 to add, 1 to change, 0 to destroy." in ran.stdout
    (closed / "plans/zz.yaml").write_text("version: 1\nstack: zz\n")
    assert run(closed, ready, "plan", "plans", "--detailed-exitcode").returncode == 2
    assert run(closed, ready, "plan", "plans").returncode == 0
    assert run(closed, ready, "plan", "plans", "--out", "p.json").returncode == 64


def test_nothing_to_check_is_not_clean(closed: Path, ready: Ready) -> None:
    """A folder without plan files ends with 1, for drift and for ci; a file named twice is checked once."""
    (closed / "empty").mkdir()
    assert run(closed, ready, "drift", "empty").returncode == 1
    assert run(closed, ready, "ci", "check", "empty", GITHUB_OUTPUT=str(closed / "out")).returncode == 1
    assert parsed((closed / "out").read_text("utf-8")) == {"status": "error", "drift": ""}
    assert drift(closed, ready, PLAN, "plans")[0] == 0


def test_a_stack_in_two_files_is_refused_for_both(closed: Path, ready: Ready) -> None:
    """Each would call the other's things drift; neither is judged."""
    (closed / "plans/copy.yaml").write_text((closed / PLAN).read_text("utf-8"), "utf-8")
    code, data = drift(closed, ready, "plans")
    assert (code, classes(data)) == (1, [("could-not-check", "stacks.twice")] * 2)


def test_files_that_differ_about_a_hostname_are_refused_by_all_verbs_alike(
    closed: Path, ready: Ready
) -> None:
    """Both, with both places, before anything is asked; once they say the same nothing is in the way."""
    other = closed / "plans/other.yaml"
    head = "version: 1\nstack: other\nhostname_settings:\n  jeann.net: {client_certificate_forwarding: "
    other.write_text(f"{head}false}}\n", "utf-8")
    for verb in (
        ["plan"],
        ["validate"],
        ["verify", "--proofs", "1,2"],
        ["drift"],
        ["ci", "plan"],
        ["ci", "check"],
    ):
        ran = run(closed, ready, *verb, "plans")
        said = " ".join((ran.stdout + ran.stderr).split())
        assert "settings.differing" in said or "two files declare other settings for a hostname" in said, verb
        assert f"{PLAN}:" in said, verb
        assert "plans/other.yaml:4:" in said, verb
        assert ran.returncode == (0 if verb == ["ci", "check"] else 1), verb
    code, data = drift(closed, ready, "plans")
    assert (code, classes(data)) == (1, [("could-not-check", "settings.differing")] * 2)
    other.write_text(f"{head}true}}\n", "utf-8")
    for verb in ("validate", "plan"):
        assert run(closed, ready, verb, "plans").returncode == 0
    assert drift(closed, ready, "plans")[0] == 0


def test_weakened_unmanaged_and_a_foreign_mark(closed: Path, ready: Ready) -> None:
    """A foreign CA on our hostname and a hole below our path alarm by address; an idle CA only informs."""
    state = lever(ready, "state")
    foreign = {**state["certificates"][0], "name": "somebody's"}
    bodies = {"aa": ["jeann.net"], "bb": ["www.jeann.net"]}
    for digits, hosts in bodies.items():
        mark = ":".join([digits.upper()] * 16)
        state["certificates"].append({**foreign, "id": digits * 16, "fingerprint": f"MD5 Fingerprint={mark}",
                                      "associated_hostnames": hosts})  # fmt: skip
    lever(ready, "state", state)
    code, data = drift(closed, ready, PLAN)
    assert (code, classes(data)) == (
        2, [("weakened", f"certificate/{'aa' * 16}"), ("unmanaged", f"certificate/{'bb' * 16}")],
    )  # fmt: skip
    state["certificates"] = [c for c in state["certificates"] if c["id"] != "aa" * 16]
    lever(ready, "state", state)
    assert drift(closed, ready, PLAN)[0] == 0
    assert drift(closed, ready, PLAN, "--alarm", "unmanaged")[0] == 2


def test_what_ends_soon_informs_and_at_last_alarms(closed: Path, ready: Ready, pki: Pki) -> None:
    """A client with 20 days left informs; with 3 days it is an alarm; --expiring-within widens the view."""
    certs = closed / "plans/certs"
    for days, code in ((20, 0), (3, 2)):
        jean = pki.clients.issue("jean", now=NOW, days=days)
        (certs / "clientcert.pem").write_text(jean.certificate_pem)
        (certs / "clientcert.key").write_text(jean.key_pem)
        got, data = drift(closed, ready, PLAN)
        assert (got, classes(data)) == (code, [("expiring", "client/jean")])
        assert f"in {days - 1} days" in data["stacks"][0]["findings"][0]["says"]
    assert ("expiring", "certificate/") in [
        (kind, address[:12])
        for kind, address in classes(drift(closed, ready, PLAN, "--expiring-within", "9999")[1])
    ]


def test_the_end_of_the_token_is_read(closed: Path, ready: Ready) -> None:
    """Twenty days: expiring, 0. Three: an alarm, 2. Beyond the window, or without an end: nothing. Ended: an alarm."""
    table = [(20, 0, True), (3, 2, True), (-1, 2, True), (40, 0, False), (None, 0, False)]
    for days, code, found in table:
        end = {} if days is None else {"expires_on": f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"}
        for owner in ("user", "account"):
            token = lever(ready, "token", {**end, "owner": owner}, "POST")["token"]
            got, data = drift(closed, ready, PLAN, CLOUDFLARE_API_TOKEN=token)
            assert (got, classes(data)) == (code, [("expiring", "token")] if found else []), (days, owner)
            assert data["stacks"][0]["notes"] == []
    assert (
        drift(closed, ready, PLAN, "--expiring-within", "60", CLOUDFLARE_API_TOKEN=token)[1]["status"]
        == "clean"
    )


def test_an_end_of_the_token_that_nobody_can_read_is_a_note(closed: Path, ready: Ready) -> None:
    """No time at all: said, and everything else is checked: still clean, still drift."""
    token = lever(ready, "token", {"expires_on": "##[error]soon"}, "POST")["token"]
    ran = run(closed, ready, "drift", PLAN, CLOUDFLARE_API_TOKEN=token, GITHUB_ACTIONS="true")
    assert (ran.returncode, "[drift.token-end]" in ran.stdout, "##[" in ran.stdout) == (0, True, False)
    change(ready, "policies", **OPEN)
    code, data = drift(closed, ready, PLAN, CLOUDFLARE_API_TOKEN=token)
    assert (code, data["complete"]) == (2, True)


@pytest.mark.parametrize(
    "held",
    [
        {"permissions": sorted(p for p in ALL if not p.startswith("Access: Organizations"))},
        {"scopes": ["accounts/ACCOUNT"]},
    ],
)
def test_what_may_not_be_seen_is_never_clean_where_it_counts(
    closed: Path, ready: Ready, held: dict[str, list[str]]
) -> None:
    """No right to look into zones: 1. None to read groups: 1 where a policy names one, and clean where none does."""
    held = {k: [v.replace("ACCOUNT", ready.account_id) for v in values] for k, values in held.items()}
    token = lever(ready, "token", held, "POST")["token"]
    code, data = drift(closed, ready, PLAN, CLOUDFLARE_API_TOKEN=token)
    if "scopes" in held:
        assert (code, classes(data)) == (1, [("could-not-check", "scope.other-unseen")])
        return
    essence = "groups.unseen"
    assert (code, classes(data)) == (0, [])
    state = lever(ready, "state")
    state["groups"].append(
        {"id": "g" * 32, "name": "staff", "include": [{"email": {"email": "a@example.com"}}]}
    )
    lever(ready, "state", state)
    change(ready, "policies", require=[{"group": {"id": "g" * 32}}])
    code, data = drift(closed, ready, PLAN, CLOUDFLARE_API_TOKEN=token)
    assert ("could-not-check", essence) in classes(data)


def test_a_bug_in_one_stack_hides_no_other(closed: Path, ready: Ready) -> None:
    """Whatever is raised while one file is checked is its own could-not-check; the next one is judged."""
    text = (closed / PLAN).read_text("utf-8")
    (closed / "plans/aa.yaml").write_text(
        "version: 1\nstack: aa\n" + f"account_id: {ready.account_id}\n", "utf-8"
    )
    (closed / PLAN).write_text(f"account_id: {ready.account_id}\n{text}", "utf-8")
    bugs: list[Exception] = []

    def before(path: Path) -> None:
        if path.name == "aa.yaml":
            raise ZeroDivisionError("a bug")

    def noted(error: Exception) -> Diagnostic:
        bugs.append(error)
        return bug(error)

    here = Account(ready.token, ready.api_base_url, None, None, Pace())
    asked = Asked(NOW, before=before, bug=noted)
    broken, good = check([closed / "plans/aa.yaml", closed / PLAN], here, asked)
    assert [f.essence for f in broken.findings] == ["internal.bug"]
    assert (broken.status, good.status) == (Status.ERROR, Status.CLEAN)
    assert [type(error) for error in bugs] == [ZeroDivisionError]


def test_pending_by_the_plan_that_was_applied_last(closed: Path, ready: Ready) -> None:
    """The file moved and the account did not: pending, 0. The account moved too: drift, 2."""
    edited(closed, "    domain: jeann", "    session_duration: 6h\n    domain: jeann")
    assert run(closed, ready, "plan", PLAN, "--out", "applied.json").returncode == 0
    assert run(closed, ready, "apply", "applied.json").returncode == 0
    edited(closed, "session_duration: 6h", "session_duration: 8h")
    code, data = drift(closed, ready, PLAN, "--applied", "applied.json")
    assert (code, classes(data)) == (0, [("pending", APP)])
    assert drift(closed, ready, PLAN)[0] == 2
    assert drift(closed, ready, PLAN, "--applied", "applied.json", "--alarm", "pending")[0] == 2
    change(ready, "apps", session_duration="1h")
    code, data = drift(closed, ready, PLAN, "--applied", "applied.json")
    assert (code, classes(data)) == (2, [("drift", APP)])


def test_a_plan_without_changes_is_evidence_too(closed: Path, ready: Ready) -> None:
    """It says what everything was when there was nothing to do: pending by it, and drift by it."""
    assert run(closed, ready, "plan", PLAN, "--out", "empty.json").returncode == 0
    assert drift(closed, ready, PLAN, "--applied", "empty.json")[0] == 0
    edited(closed, "    domain: jeann", "    session_duration: 6h\n    domain: jeann")
    code, data = drift(closed, ready, PLAN, "--applied", "empty.json")
    assert (code, classes(data)) == (0, [("pending", APP)])
    change(ready, "policies", **OPEN)
    code, data = drift(closed, ready, PLAN, "--applied", "empty.json")
    assert (code, classes(data)) == (2, [("drift", APP), ("pending", APP)])


def test_the_last_commit_is_a_hint_and_no_evidence(closed: Path, ready: Ready) -> None:
    """Edited or committed and not applied: drift, with what it may be. Changed by somebody besides: drift alone."""
    git(closed, "init", "-q")
    git(closed, "add", ".")
    git(closed, "commit", "-qm", "one")
    edited(closed, "    domain: jeann", "    service_auth_401_redirect: true\n    domain: jeann")
    for words in (["status"], ["commit", "-qam", "two"]):
        git(closed, *words)
        code, data = drift(closed, ready, PLAN)
        assert (code, classes(data)) == (2, [("drift", APP)])
        assert "before its last commit" in data["stacks"][0]["findings"][0]["says"]
    change(ready, "apps", skip_interstitial=True)
    change(ready, "policies", **OPEN)
    code, data = drift(closed, ready, PLAN)
    assert code == 2
    assert "before its last commit" not in json.dumps(data)


def test_waivers_are_written_hold_and_end(closed: Path, ready: Ready) -> None:
    """Written for what is there: clean. Another difference at the same address alarms. Expired: alarms again."""
    change(ready, "apps", name="renamed (cf-mtls georgetown)")
    before = (closed / PLAN).read_text("utf-8")
    assert run(closed, ready, "drift", PLAN, "--write-waivers").returncode == 64
    assert run(closed, ready, "drift", PLAN, "--write-waivers", "--owner", 'o"ps: #1').returncode == 2
    written = (closed / PLAN).read_text("utf-8")
    assert written.startswith(before)
    code, data = drift(closed, ready, PLAN)
    assert (code, data["stacks"][0]["findings"][0]["waiver"]["owner"]) == (0, 'o"ps: #1')
    change(ready, "policies", **OPEN)
    code, data = drift(closed, ready, PLAN)
    assert code == 2
    assert [w["address"] for w in data["stacks"][0]["unused_waivers"]] == [APP]
    (closed / PLAN).write_text(re.sub(r"until: \S+", "until: 2020-01-01", written), "utf-8")
    change(ready, "policies", decision="non_identity", include=[{"certificate": {}}])
    ran = run(closed, ready, "drift", PLAN)
    assert ran.returncode == 2
    assert "its waiver ended on 2020-01-01" in ran.stdout


ONE = "waivers:\n- {address: x, reason: r, owner: o, until: 2030-01-01}\n"
STYLES = {
    "in braces": lambda text: json.dumps(yaml.safe_load(text), indent=2),
    "waivers first": lambda text: ONE + text,
    "waivers in a quoted key": lambda text: text + ONE.replace("waivers:", '"waivers":'),
    "an end of the document": lambda text: f"---\n{text}...\n# said afterwards\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_waivers_are_written_into_a_plan_file_of_any_style(closed: Path, ready: Ready, style: str) -> None:
    """It stays a plan file: what was there is there, and the waiver that was added holds."""
    change(ready, "apps", name="renamed (cf-mtls georgetown)")
    (closed / PLAN).write_text(STYLES[style]((closed / PLAN).read_text("utf-8")), "utf-8")
    before = yaml.safe_load((closed / PLAN).read_text("utf-8"))
    assert run(closed, ready, "drift", PLAN, "--write-waivers", "--owner", "ops").returncode == 2
    code, data = drift(closed, ready, PLAN)
    assert (code, data["stacks"][0]["findings"][0]["waiver"]["owner"]) == (0, "ops")
    after = yaml.safe_load((closed / PLAN).read_text("utf-8"))
    kept = after.pop("waivers")[:-1]
    assert {**after, **({"waivers": kept} if kept else {})} == before


def test_a_plan_file_that_cannot_be_written_is_left_alone(closed: Path, ready: Ready) -> None:
    """A symbolic link is not followed: 1, the file is as it was, and the text to put into it is shown."""
    change(ready, "apps", name="renamed (cf-mtls georgetown)")
    (closed / PLAN).rename(closed / "plans/real")
    (closed / PLAN).symlink_to("real")
    before = (closed / "plans/real").read_bytes()
    ran = run(closed, ready, "drift", PLAN, "--write-waivers", "--owner", "ops")
    assert (ran.returncode, "[waivers.not-added]" in ran.stderr) == (1, True), ran.stderr
    assert (closed / "plans/real").read_bytes() == before
    shown = textwrap.dedent(ran.stderr.split("`waivers:`\n")[1].split("  To mend")[0])
    (row,) = yaml.safe_load(shown)
    assert (row["address"], row["owner"]) == (APP, "ops")


def test_live_proofs_find_what_the_api_does_not_show(closed: Path, ready: Ready) -> None:
    """A key that is gone is could-not-check, 1; a client that is not let in is unenforced, 2."""
    (closed / "plans/certs/clientcert.key").rename(closed / "key")
    code, data = drift(closed, ready, PLAN, "--verify")
    assert (code, data["status"]) == (1, "error")
    stranger = root("Stranger", now=NOW).issue("jean", now=NOW)
    (closed / "plans/certs/clientcert.pem").write_text(stranger.certificate_pem)
    (closed / "plans/certs/clientcert.key").write_text(stranger.key_pem)
    code, data = drift(closed, ready, PLAN, "--verify")
    assert code == 2
    assert "unenforced" in {kind for kind, _ in classes(data)}


VERBS = [
    ["plan", PLAN],
    ["plan", PLAN, "--json"],
    ["plan", "plans"],
    ["show"],
    ["show", "--json"],
    ["drift", PLAN],
    ["explain", "https://jeann.net/georgetown-penang-malaysia"],
    ["import", "--stack", "other", "--out", "x"],
    ["ci", "plan", PLAN],
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_in_a_github_job_no_verb_prints_a_name_as_a_command(
    closed: Path, ready: Ready, words: list[str]
) -> None:
    """Every kind of thing has a name that is one, or a token: none of it is a command, the token is not in the text."""
    token = "cfut_" + "B4n4na" * 7
    hostile = f"##[add-mask]x\n::error::{token}\r ::set-output name=a::b"
    state = lever(ready, "state")
    state["policies"][0] |= {"name": hostile}
    state["apps"][0] |= {"custom_deny_message": hostile}
    state["apps"].append({**state["apps"][0], "id": "f" * 32, "uid": "f" * 32, "name": hostile,
                          "domain": "jeann.net/georgetown-penang-malaysia/x", "destinations": []})  # fmt: skip
    state["certificates"].append({**state["certificates"][0], "id": "e" * 32, "name": hostile,
                                  "fingerprint": "MD5 Fingerprint=" + ":".join(["EE"] * 16)})  # fmt: skip
    lever(ready, "state", state)
    ran = run(closed, ready, *words, GITHUB_ACTIONS="true")
    assert ran.returncode != 64, ran.stderr
    ours = re.compile(
        r"::(stop-commands::)?[0-9a-f]{32}(::)?|::(error|notice) file=\S+,line=\d+,col=\d+,title=\S.*"
    )
    for line in re.split(r"[\r\n]", ran.stdout + ran.stderr):
        assert not line.lstrip().startswith("::") or ours.fullmatch(line), line
        assert "##[" not in line
    if "--json" in words:
        json.loads(ran.stdout)
    else:
        assert token not in ran.stdout + ran.stderr


def test_an_alarm_that_passes_is_a_change_under_way(closed: Path, ready: Ready) -> None:
    """Found by one read alone, the first or the second: could not be told, 1, and never clean."""
    account = lever(ready, "state")
    for another in (False, True):
        lever(ready, "state", account)
        change(ready, "settings", client_certificate_forwarding=False)
        slept: list[float] = []

        def meanwhile(seconds: float, slept: list[float] = slept, another: bool = another) -> None:
            slept.append(seconds)
            lever(ready, "state", account)
            if another:
                change(ready, "policies", name="renamed")

        here = Account(ready.token, ready.api_base_url, ready.account_id, None, Pace())
        (found,) = check([closed / PLAN], here, Asked(NOW, confirm_s=7, sleep=meanwhile))
        assert slept == [7]
        assert found.status is Status.ERROR
        assert [f.says.partition(":")[0] for f in found.findings] == [
            "a change under way, found by one of two reads alone"
        ] * (1 + another)


def test_an_opening_stands_whatever_else_moves(closed: Path, ready: Ready) -> None:
    """Another hole at the second read than at the first, and the first one mended: open in both, so an alarm."""
    account = lever(ready, "state")
    change(ready, "policies", **OPEN)

    def meanwhile(_: float) -> None:
        hole = {
            "name": "hole", "type": "self_hosted", "domain": APP.partition("/")[2] + "/hole",
            "policies": [{"name": "p", **OPEN}],
        }  # fmt: skip
        lever(ready, "state", {**account, "apps": [*account["apps"], hole]})

    here = Account(ready.token, ready.api_base_url, ready.account_id, None, Pace())
    (found,) = check([closed / PLAN], here, Asked(NOW, confirm_s=1, sleep=meanwhile))
    assert found.status is Status.DRIFT
    assert (Class.WEAKENED, f"{APP}/hole") in {(f.kind, f.address) for f in found.findings}


def test_an_alarm_that_stays_is_confirmed_by_a_second_read(closed: Path, ready: Ready) -> None:
    """Read twice: still drift. In CI by itself, or as the environment says; at a terminal the first read is enough."""
    change(ready, "policies", **OPEN)
    for words, more, reads in (
        ([], {}, 1), (["--confirm", "0.01"], {}, 2), ([], {"CF_MTLS_CONFIRM": "0.01", "CI": "true"}, 2),
        (["--confirm", "0"], {"CI": "true"}, 1),
    ):  # fmt: skip
        before = len(seen(ready))
        assert drift(closed, ready, PLAN, *words, **more)[0] == 2
        asked = [r["path"] for r in seen(ready)[before:] if r["path"].endswith("/access/certificates")]
        assert len([path for path in asked if "/accounts/" in path]) == reads, (words, more)
    wrong = run(closed, ready, "drift", PLAN, CF_MTLS_CONFIRM="soon")
    assert (wrong.returncode, "[drift.confirm]" in wrong.stderr) == (64, True)


def test_what_cannot_be_read_again_confirms_nothing_away(closed: Path, ready: Ready) -> None:
    """The second read fails: the alarm of the first one stands."""
    change(ready, "policies", **OPEN)

    def meanwhile(_: float) -> None:
        lever(ready, "switches", {"access-enabled": "off"}, "POST")

    here = Account(ready.token, ready.api_base_url, ready.account_id, None, Pace())
    (found,) = check([closed / PLAN], here, Asked(NOW, confirm_s=1, sleep=meanwhile))
    lever(ready, "switches", {"access-enabled": "on"}, "POST")
    assert found.status is Status.DRIFT


@pytest.mark.parametrize("verb", ["plan", "verify", "drift"])
def test_a_stack_in_two_files_of_one_call_is_refused_by_every_verb(
    closed: Path, ready: Ready, verb: str
) -> None:
    """Neither is planned, proven or judged; one with its scope written out is the same stack as one without."""
    text = (closed / PLAN).read_text("utf-8")
    (closed / "plans/copy.yaml").write_text(f"account_id: {ready.account_id}\n{text}", "utf-8")
    ran = run(closed, ready, verb, "plans")
    assert ran.returncode == 1
    assert (ran.stdout + ran.stderr).count("The stack georgetown is declared by") == 2
    assert "Proven" not in ran.stdout
    (closed / "plans/copy.yaml").write_text(f"account_id: {'f' * 32}\n{text}", "utf-8")
    other = run(closed, ready, verb, "plans")
    assert "is declared by" not in other.stdout + other.stderr
