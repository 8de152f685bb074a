"""What a token may not read is said by every form of a check, and nothing is called clean for it.

Rules of this file:
- A row is a thing that decides who gets in, kept where a token may not look, and opened there: refused before, let in
  afterwards, by a real request at the emulated edge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.emulator.tokens import READ
from cf_mtls.model.coverage import Part
from cf_mtls.remote.account_checks import needed
from tests.ci.fake_github import serving
from tests.ci.steps import ROOT, parsed
from tests.conftest import Pki
from tests.drift.inside import run
from tests.drift.inside import said as said_without
from tests.drift.outputs import ALARM, GOOD, UNTOLD, from_files, said
from tests.emulated.edge import lever
from tests.emulated.test_openings import BYPASS, EVERYONE, HOST, ZONE, Row, app, status

PLAN = "plans/georgetown.yaml"
MTLS, APPS = "Access: Mutual TLS Certificates Read", "Access: Apps and Policies Read"
GROUPS = "Access: Organizations, Identity Providers, and Groups Read"
G = {"id": "bbbbbbbb-0000-4000-8000-000000000002", "name": "ours all"}
INNER = {"id": "cccccccc-0000-4000-8000-000000000003", "name": "inner"}
SHARED = {"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "shared"}
MAIL: dict[str, Any] = {"email": {"email": "a@example.com"}}
BY_GROUP = {"decision": "bypass", "include": [{"group": {"id": G["id"]}}]}

PLAN_TEXT = f"""version: 1
stack: georgetown
certificates:
  penang-clients: {{chain: certs/certchain.pem, associated_hostnames: [{HOST}, sub.{HOST}]}}
applications:
  plain: {{domain: {HOST}/plain}}
"""
INLINE = f"""  own:
    domain: {HOST}/own
    policies:
      - {{name: g, decision: bypass, include: [{{group: {G["id"]}}}]}}
      - {{name: c, include: [{{certificate: {{}}}}]}}
"""
REUSABLE = f"  own: {{domain: {HOST}/own, policies: [{{id: {SHARED['id']}}}]}}\n"
WILD = f"""  own:
    domain: "*.{HOST}/own"
    policies: [{{name: none, decision: deny, include: [{{everyone: {{}}}}]}}]
"""
PLAIN = f"  own: {{domain: {HOST}/own}}\n"
TWO_ZONES = PLAN_TEXT.replace(f"sub.{HOST}", "far.example") + PLAIN + "  far: {domain: far.example/own}\n"

State = dict[str, Any]


def widened(table: str, identity: str) -> Callable[[State], None]:
    return lambda state: next(r for r in state[table] if r["id"] == identity).update(include=[EVERYONE])


def foreign(domain: str, **more: Any) -> State:
    return app(domain, policies=[{"name": "g", **BY_GROUP}], **more)


OUTER = widened("groups", G["id"])


@dataclass(frozen=True)
class Unread:
    """What our file declares, what else there is, what is opened, and what the token lacks."""

    own: str
    beside: tuple[State, ...] = ()
    opens: Callable[[State], None] = OUTER
    host: str = HOST
    path: str = "/own"
    permissions: tuple[str, ...] = (MTLS, APPS)
    scopes: tuple[str, ...] = ()
    switches: tuple[tuple[str, Any], ...] = ()


def below(state: State) -> None:
    state["apps"].append(app(f"{HOST}/own/x", policies=BYPASS, **ZONE))


IN_ZONE = {"opens": below, "path": "/own/x"}
ALL = tuple(sorted(READ))

ROWS: dict[str, Unread] = {
    "a group of our own policy": Unread(INLINE),
    "a group within a group of our own policy": Unread(INLINE, opens=widened("groups", INNER["id"])),
    "a group of a reusable policy": Unread(REUSABLE),
    "a group of a foreign application below ours": Unread(PLAIN, (foreign(f"{HOST}/own/x"),), path="/own/x"),
    "a group of a zone's application below ours": Unread(PLAIN, (foreign(f"{HOST}/own/x", **ZONE),), path="/own/x"),
    "a group of an application on a wildcard over ours": Unread(
        PLAIN, (foreign(f"*.{HOST}/plain/x"), foreign(f"{HOST}/own/*/x")), path="/own/a/x"
    ),
    "a group of an application below our wildcard": Unread(
        WILD, (foreign(f"x.{HOST}/own/x"),), host=f"x.{HOST}", path="/own/x"
    ),
    "a zone's application, zones refused": Unread(
        PLAIN, **IN_ZONE, permissions=(MTLS, APPS, GROUPS), switches=(("zones-without-permission", "refused"),)
    ),
    "a zone's application, zones not listed": Unread(
        PLAIN, **IN_ZONE, permissions=(MTLS, APPS, GROUPS), switches=(("zones-without-permission", "none"),)
    ),
    "a zone's application, a token for the account alone": Unread(
        PLAIN, **IN_ZONE, permissions=ALL, scopes=("accounts/ACCOUNT",)
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    switches = {"rate-limit": 10**6, "rate-per-second": 10**6, "settings-delay": 0, "association-delay": 0}
    with running(Options(zones=(HOST, "far.example"), switches=switches)) as emulator:
        yield emulator.ready


def prepared(folder: Path, ready: Ready, row: Unread) -> str:
    """A folder whose plan is applied, beside what else there is; the token that lacks something."""
    (folder / PLAN).write_text(PLAN_TEXT + row.own, "utf-8")
    lever(ready, "reset", {}, "POST")
    state = lever(ready, "state")
    state["groups"] += [{**INNER, "include": [MAIL]}, {**G, "include": [{"group": {"id": INNER["id"]}}]}]
    state["policies"].append({**SHARED, **BY_GROUP})
    state["apps"] += row.beside
    lever(ready, "state", state)
    ran = run(folder, ready, "apply", PLAN, "-y", "--no-verify")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lever(ready, "switches", dict(row.switches), "POST")
    scopes = [scope.replace("ACCOUNT", ready.account_id) for scope in row.scopes]
    token: str = lever(ready, "token", {"permissions": row.permissions, "scopes": scopes}, "POST")["token"]
    return token


@pytest.mark.parametrize("name", ROWS)
def test_what_opened_where_nobody_may_look_is_never_clean(
    folder: Path, ready: Ready, pki: Pki, name: str
) -> None:
    """Refused before, 200 now: not complete, no form says that all is well, the code is 1, or 2 beside an alarm."""
    row = ROWS[name]
    token = prepared(folder, ready, row)
    asked = Row(row.opens, "", row.host, row.path)
    assert status(ready, asked, folder, pki) in {302, 403}
    before = run(folder, ready, "drift", PLAN, CLOUDFLARE_API_TOKEN=ready.token)
    state = lever(ready, "state")
    row.opens(state)
    lever(ready, "state", state)
    assert status(ready, asked, folder, pki) == 200
    assert before.returncode in {0, 2}, before.stdout  # 2: a foreign application lets people in before, too
    ran = run(folder, ready, "drift", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
    data = json.loads(ran.stdout)
    kinds = said(data)
    assert (ran.returncode, data["complete"]) in {(1, False), (2, False)}, ran.stdout
    assert GOOD not in kinds.values(), kinds
    planned = run(folder, ready, "plan", PLAN, "--detailed-exitcode", CLOUDFLARE_API_TOKEN=token)
    assert (planned.returncode != 0, "No changes" in planned.stdout) == (True, False), planned.stdout
    looked = json.loads(run(folder, ready, "doctor", PLAN, "--json", CLOUDFLARE_API_TOKEN=token).stdout)
    assert "ok" not in {
        f["grade"] for f in looked["findings"] if f["check"] == "host.application" and f["on"] == HOST
    }


def test_a_job_with_the_wrong_token_closes_no_issue(folder: Path, ready: Ready) -> None:
    """`ci check`, `gate` and `issue`, real files and a real conversation: error, 1, and an open issue stays open."""
    token = prepared(folder, ready, ROWS["a group of our own policy"])
    state = lever(ready, "state")
    next(p for p in state["policies"] if p["name"] == "c").update(decision="bypass")
    lever(ready, "state", state)
    with serving() as github:
        assert run(folder, ready, "ci", "check", PLAN).returncode == 0
        assert said(from_files(folder))["status"] == ALARM
        assert (
            said_without(
                folder, "ci", "issue", "cf-mtls-report/report.json", **github.environment()
            ).returncode
            == 0
        )
        assert [i["state"] for i in github.issues.values()] == ["open"]
        next(p for p in state["policies"] if p["name"] == "c").update(decision="non_identity")
        widened("groups", G["id"])(state)
        lever(ready, "state", state)
        files = {"GITHUB_OUTPUT": str(folder / "out"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
        ran = run(folder, ready, "ci", "check", PLAN, CLOUDFLARE_API_TOKEN=token, **files)
        assert ran.returncode == 0
        data = from_files(folder)
        assert set(said(data).values()) == {UNTOLD}, said(data)
        words = parsed((folder / "out").read_text("utf-8"))
        assert (words["status"], words["drift"], words["complete"]) == ("error", "", "false")
        summary = (folder / "summary.md").read_text("utf-8")
        assert ("Nothing to report" in summary, "not read: `groups`" in summary) == (False, True)
        assert said_without(folder, "ci", "gate", "cf-mtls-report/report.json").returncode == 1
        assert (
            said_without(folder, "ci", "gate", "--no-fail-on-drift", "cf-mtls-report/report.json").returncode
            == 1
        )
        assert (
            said_without(
                folder, "ci", "issue", "cf-mtls-report/report.json", **github.environment()
            ).returncode
            == 0
        )
        assert [i["state"] for i in github.issues.values()] == ["open"]
        assert github.comments.get(1, []) == []


def test_an_alarm_beside_what_could_not_be_read_is_both(folder: Path, ready: Ready) -> None:
    """Both are printed, the code is 2, and complete is false."""
    token = prepared(folder, ready, ROWS["a group of our own policy"])
    state = lever(ready, "state")
    state["apps"].append(app(f"{HOST}/plain/x", policies=BYPASS))
    lever(ready, "state", state)
    ran = run(folder, ready, "drift", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
    data = json.loads(ran.stdout)
    assert (ran.returncode, data["complete"]) == (2, False)
    assert {f["class"] for f in data["stacks"][0]["findings"]} == {"weakened", "could-not-check"}
    assert set(said(data).values()) == {ALARM}, said(data)


def test_one_zone_that_may_not_be_read_hides_no_opening_in_another(folder: Path, ready: Ready) -> None:
    """Two zones, a token for the account and one of them: the hole in that one alarms, the other could not be read."""
    lever(ready, "reset", {}, "POST")
    (folder / PLAN).write_text(TWO_ZONES, "utf-8")
    ran = run(folder, ready, "apply", PLAN, "-y", "--no-verify")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    state = lever(ready, "state")
    below(state)
    lever(ready, "state", state)
    zone = next(z["id"] for z in state["zones"] if z["name"] == HOST)
    scopes = [f"accounts/{ready.account_id}", f"zones/{zone}"]
    token = lever(ready, "token", {"permissions": ALL, "scopes": scopes}, "POST")["token"]
    ran = run(folder, ready, "drift", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
    classes = {f["class"] for f in json.loads(ran.stdout)["stacks"][0]["findings"]}
    assert (ran.returncode, classes) == (2, {"weakened", "could-not-check"}), ran.stdout


def test_everything_read_is_clean_in_every_form(folder: Path, ready: Ready) -> None:
    """The other side of the table: with the token that is documented nothing is left open, and nothing alarms."""
    prepared(folder, ready, ROWS["a group of our own policy"])
    token = lever(ready, "token", {"permissions": [MTLS, APPS, GROUPS, "Zone Read"]}, "POST")["token"]
    ran = run(folder, ready, "drift", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
    data = json.loads(ran.stdout)
    assert (ran.returncode, set(said(data).values())) == (0, {GOOD}), data
    assert data["stacks"][0]["coverage"]["missing"] == []
    assert run(folder, ready, "plan", PLAN, "--detailed-exitcode", CLOUDFLARE_API_TOKEN=token).returncode == 0


DOCUMENTED = (MTLS, APPS, GROUPS, "Zone Read")


@pytest.mark.parametrize("file", ["README.md", ".github/workflows/drift-check.yml"])
def test_the_documents_name_every_permission_that_a_file_can_need(file: str) -> None:
    """The token that people are told to make; with these four everything is read (see above)."""
    text = " ".join((ROOT / file).read_text("utf-8").split())
    assert [name for name in DOCUMENTED if name.removesuffix(" Read") not in text] == []
    assert set(needed(frozenset(Part))) == set(DOCUMENTED)


@pytest.mark.parametrize(("own", "names"), [(PLAIN, (MTLS, APPS, "Zone Read")), (INLINE, DOCUMENTED)])
def test_the_doctor_names_the_permissions_of_a_file(
    folder: Path, ready: Ready, own: str, names: tuple[str, ...]
) -> None:
    """Of the file alone, without an account; and with one, where what is needed and missing fails."""
    (folder / PLAN).write_text(PLAN_TEXT + own, "utf-8")
    asked = said_without(folder, "doctor", PLAN, "--permissions")
    assert (asked.returncode, asked.stdout.split("\n")[:-1]) == (0, list(names))
    for lacking in (GROUPS, "Zone Read"):
        prepared(folder, ready, Unread(own, switches=(("zones-without-permission", "refused"),)))
        held = [name for name in ALL if name != lacking]
        token = lever(ready, "token", {"permissions": held}, "POST")["token"]
        ran = run(folder, ready, "doctor", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
        found = json.loads(ran.stdout)["findings"]
        (grade,) = {
            f["grade"]
            for f in found
            if f["check"] == "permission.read" and f["said"].startswith(f"{lacking} is")
        }
        assert (grade == "fail", ran.returncode == 1) == (lacking in names, lacking in names), found
        assert all(n in next(f["said"] for f in found if f["check"] == "permission.needed") for n in names)
