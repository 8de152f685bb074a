"""A waived opening that grows: drift alarms again, whatever it was that grew, and whoever made it grow.

Rules of this file:
- A row opens a door, which is waived by the program itself: clean. Then the same thing lets in more: never clean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.emulator.tokens import ALL
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_openings import (
    CERTIFICATE,
    EVERYONE,
    GROUP,
    HOST,
    INNER,
    PATH,
    PLAN,
    PLAN_TEXT,
    SHARED,
    SUB,
    State,
    add,
    app,
    ca,
    edit,
    edit_policy,
    edit_row,
    gone,
    ours,
)
from tests.planning.worlds import BUDGET

Change = Callable[[State], None]


def for_(include: dict[str, Any], decision: str = "bypass") -> list[dict[str, Any]]:
    return [{"name": "p", "decision": decision, "include": [include]}]


def network(ip: str) -> dict[str, Any]:
    return {"ip": {"ip": ip}}


def policy_of(domain: str, **members: Any) -> Change:
    """A policy that is an application's own says something else."""

    def change(state: State) -> None:
        linked = {link["id"] for link in ours(state, domain)["_policies"]}
        next(p for p in state["policies"] if p["id"] in linked).update(members)

    return change


def one_more(domain: str, uri: str) -> Change:
    def change(state: State) -> None:
        ours(state, domain)["destinations"].append({"type": "public", "uri": uri})

    return change


def all_of(*changes: Change) -> Change:
    def change(state: State) -> None:
        for one in changes:
            one(state)

    return change


BELOW = f"{HOST}{PATH}/health"
TEAM = {"id": "dddddddd-0000-4000-8000-000000000004", "name": "team", "include": [network("192.0.2.0/24")]}
BY_TEAM = {"group": {"id": TEAM["id"]}}
BELOW_ON = [{"type": "public", "uri": BELOW}]

ROWS: dict[str, tuple[Change, Change]] = {
    "one more path of a foreign application": (
        add("apps", app(BELOW, destinations=BELOW_ON)), one_more(BELOW, f"{HOST}{PATH}/admin")
    ),
    "a wider network": (
        add("apps", app(BELOW, policies=for_(network("10.0.0.0/8")))),
        policy_of(BELOW, include=[network("0.0.0.0/0")]),
    ),
    "one more selector": (
        add("apps", app(BELOW, policies=for_(network("10.0.0.0/8")))),
        policy_of(BELOW, include=[network("10.0.0.0/8"), {"any_valid_service_token": {}}]),
    ),
    "a condition less": (
        add("apps", app(BELOW, policies=[{**for_(EVERYONE)[0], "exclude": [network("192.0.2.1/32")]}])),
        policy_of(BELOW, exclude=[]),
    ),
    "the group that it refers to": (
        all_of(add("groups", TEAM), add("apps", app(BELOW, policies=for_(BY_TEAM)))),
        edit_row("groups", TEAM["id"], include=[EVERYONE]),
    ),
    "a group within that group": (
        all_of(
            edit_row("groups", INNER["id"], include=[network("192.0.2.0/24")]),
            add("groups", {**TEAM, "include": [{"group": {"id": INNER["id"]}}]}),
            add("apps", app(BELOW, policies=for_(BY_TEAM))),
        ),
        edit_row("groups", INNER["id"], include=[network("192.0.0.0/8")]),
    ),
    "the reusable policy that it refers to": (
        all_of(
            add("policies", {**TEAM, "decision": "bypass"}),
            add("apps", app(BELOW, policies=[{"id": TEAM["id"], "precedence": 1}])),
        ),
        edit_row("policies", TEAM["id"], include=[EVERYONE]),
    ),
    "requests that skip its policies": (
        add("apps", app(BELOW, policies=for_(network("10.0.0.0/8")))), edit(BELOW, options_preflight_bypass=True)
    ),
    "a public path of it": (
        add("apps", app(BELOW, policies=for_(network("10.0.0.0/8")), destinations=BELOW_ON)),
        lambda state: ours(state, BELOW)["destinations"][0].update(
            overrides=[{"behavior": "public", "path_pattern": f"{PATH}/health/x"}]
        ),
    ),
    "a CA on the hostname of an application below": (
        add("apps", app(f"{SUB}/narrow/any", policies=for_(CERTIFICATE, "non_identity"))),
        add("certificates", ca(SUB)),
    ),
    "a foreign CA on one more hostname": (
        add("certificates", ca(HOST)),
        lambda state: state["certificates"][-1].update(associated_hostnames=[HOST, SUB]),
    ),
    "our policy, widened before": (
        edit_policy(include=[network("10.0.0.0/8")]), edit_policy(include=[network("10.0.0.0/8"), EVERYONE])
    ),
    "the group that our changed policy refers to": (
        all_of(add("groups", TEAM), edit_policy(include=[BY_TEAM])),
        edit_row("groups", TEAM["id"], include=[EVERYONE]),
    ),
    "what stands above our missing application": (
        all_of(
            add("apps", app(HOST, policies=for_(network("192.0.2.0/24")))), gone("apps", HOST + PATH)
        ),
        policy_of(HOST, include=[EVERYONE]),
    ),
    "what no longer stands above our missing application": (
        all_of(
            add("apps", app(HOST, policies=for_(network("192.0.2.0/24")))), gone("apps", HOST + PATH)
        ),
        gone("apps", HOST),
    ),
    "what stands in our place": (
        edit(HOST + PATH, name="not ours any more"), edit_policy(decision="bypass", include=[EVERYONE])
    ),
    "the group of what stands in our place": (
        all_of(
            add("groups", TEAM), edit(HOST + PATH, name="not ours any more"), edit_policy(include=[BY_TEAM])
        ),
        edit_row("groups", TEAM["id"], include=[EVERYONE]),
    ),
    "an application with our mark": (
        all_of(
            add("groups", TEAM), add("apps", app(f"{HOST}/late", "late (cf-mtls georgetown)", policies=for_(BY_TEAM)))
        ),
        edit_row("groups", TEAM["id"], include=[EVERYONE]),
    ),
    "a CA with our mark": (
        add("certificates", ca("late.jeann.net", name="late (cf-mtls georgetown)")),
        lambda state: state["certificates"][-1].update(associated_hostnames=["late.jeann.net", SUB]),
    ),
}  # fmt: skip
"""What is waived, and what then grows."""


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options(switches={"rate-limit": 10**6, "rate-per-second": 10**6})) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The account as the first apply left it."""
    return {}


@pytest.fixture
def closed(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A folder whose plan is applied."""
    (folder / PLAN).write_text(PLAN_TEXT, "utf-8")
    if not kept:
        state = lever(ready, "state")
        state["policies"].append({**SHARED, "decision": "non_identity", "include": [CERTIFICATE]})
        state["groups"] += [
            {**INNER, "include": [CERTIFICATE]},
            {**GROUP, "include": [{"group": {"id": INNER["id"]}}]},
        ]
        lever(ready, "state", state)
        ran = run(folder, ready, "apply", PLAN, "-y")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        kept |= lever(ready, "state")
    lever(ready, "state", kept)
    return folder


def changed(ready: Ready, change: Change) -> None:
    state = lever(ready, "state")
    change(state)
    lever(ready, "state", state)


QUICK = (
    "one more path of a foreign application", "a wider network", "a group within that group",
    "requests that skip its policies", "a foreign CA on one more hostname",
    "the group that our changed policy refers to", "what no longer stands above our missing application",
    "what stands in our place", "an application with our mark",
)  # fmt: skip
"""The rows of the quick run; the rules behind the others are tested one by one without an emulator."""


@pytest.mark.parametrize("name", ROWS if BUDGET > 1 else QUICK)
def test_what_is_waived_and_grows_alarms_again(closed: Path, ready: Ready, name: str) -> None:
    """Waived: 0, also when it is read again in another order. Grown: 2."""
    opens, grows = ROWS[name]
    changed(ready, opens)
    assert run(closed, ready, "drift", PLAN, "--write-waivers", "--owner", "ops").returncode == 2
    lever(ready, "faults", [{"do": "shuffle", "when": {}}], "POST")
    waived = run(closed, ready, "drift", PLAN, "--json")
    lever(ready, "faults", method="DELETE")
    assert waived.returncode == 0, waived.stdout
    changed(ready, grows)
    ran = run(closed, ready, "drift", PLAN, "--json")
    assert ran.returncode == 2, [
        (f["class"], f["address"], f["digest"]) for f in json.loads(ran.stdout)["stacks"][0]["findings"]
    ]


GROUPLESS = {"permissions": sorted(p for p in ALL if not p.startswith("Access: Organizations"))}


def test_a_waiver_does_not_hold_when_what_it_rests_on_cannot_be_read(closed: Path, ready: Ready) -> None:
    """Waived with every permission: 0. With a token that may not read groups: could not check, and no other word."""
    opens, grows = ROWS["the group that it refers to"]
    changed(ready, opens)
    assert run(closed, ready, "drift", PLAN, "--write-waivers", "--owner", "ops").returncode == 2
    assert run(closed, ready, "drift", PLAN).returncode == 0
    token = lever(ready, "token", GROUPLESS, "POST")["token"]
    for change in (lambda state: None, grows):
        changed(ready, change)
        ran = run(closed, ready, "drift", PLAN, "--json", CLOUDFLARE_API_TOKEN=token)
        stack = json.loads(ran.stdout)["stacks"][0]
        assert (ran.returncode, stack["status"], stack["complete"]) == (1, "error", False)
        assert f"group/{TEAM['id']}" in "".join(f["says"] for f in stack["findings"])
        assert stack["unused_waivers"] == []
    assert run(closed, ready, "drift", PLAN).returncode == 2


WAIVERS = """waivers:
- {address: "proof/https://jeann.net/x no certificate", reason: r, owner: o, until: 2099-01-01, finding: "000000000001"}
- {address: client/jean, reason: r, owner: o, until: 2099-01-01}
- {address: client/nobody, reason: r, owner: o, until: 2099-01-01}
- {address: application/gone.net, reason: r, owner: o, until: 2099-01-01, finding: "000000000002"}
"""


def test_a_waiver_is_unused_only_where_its_thing_was_looked_at(closed: Path, ready: Ready) -> None:
    """No proof is looked at without --verify, nothing where something could not be checked; an end comes in time."""
    provable = PLAN_TEXT[: PLAN_TEXT.index("  narrow:")] + PLAN_TEXT[PLAN_TEXT.index("\nclients:") + 1 :]
    (closed / PLAN).write_text(PLAN_TEXT + WAIVERS, "utf-8")

    def unused(*words: str, **more: str) -> list[str]:
        ran = run(closed, ready, "drift", PLAN, "--json", *words, **more)
        return [w["address"] for w in json.loads(ran.stdout)["stacks"][0]["unused_waivers"]]

    left = ["client/nobody", "application/gone.net"]
    assert unused() == unused("--verify") == left  # some URLs cannot be proven
    (closed / PLAN).write_text(provable + WAIVERS, "utf-8")
    assert unused("--verify") == [
        "proof/https://jeann.net/x no certificate", *left,
    ]  # fmt: skip
    token = lever(ready, "token", {"scopes": [f"accounts/{ready.account_id}"]}, "POST")["token"]
    assert unused(CLOUDFLARE_API_TOKEN=token) == []
    (closed / "plans/certs/clientcert.pem").unlink()
    assert unused() == left
    text = run(closed, ready, "drift", PLAN).stdout
    assert "unused waiver for application/gone.net, o: there is nothing to waive; take it out" in text
    changed(ready, gone("apps", HOST + PATH))
    (closed / PLAN).write_text(
        PLAN_TEXT + f'waivers: [{{address: "application/{HOST}{PATH}", reason: r, owner: o, until: 2099-01-01, '
        'finding: "000000000003"}]\n', "utf-8"
    )  # fmt: skip
    text = run(closed, ready, "drift", PLAN).stdout
    assert f"unused waiver for application/{HOST}{PATH}, o: what is there is another difference (" in text


def test_what_a_stack_left_behind_is_told_in_a_run_over_its_folder(closed: Path, ready: Ready) -> None:
    """Of one file alone it is said of nothing; with another file that cannot be read neither, for it may be its."""
    late = ca("late.jeann.net", name="late (cf-mtls gone)")
    changed(
        ready, all_of(add("certificates", late), add("apps", app("late.jeann.net", "late (cf-mtls gone)")))
    )

    def unmanaged(*files: str) -> list[str]:
        data = json.loads(run(closed, ready, "drift", *files, "--json").stdout)
        return [f["says"] for s in data["stacks"] for f in s["findings"] if f["class"] == "unmanaged"]

    assert unmanaged(PLAN) == []
    told = unmanaged("plans")
    assert len(told) == 2
    assert all("the mark of stack gone" in says for says in told)
    (closed / "plans/gone.yaml").write_text("version: 1\nstack: [\n", "utf-8")
    assert unmanaged("plans") == []
    (closed / "plans/gone.yaml").write_text("version: 1\nstack: gone\n", "utf-8")
    assert unmanaged("plans") == []
