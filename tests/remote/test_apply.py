"""Performing steps: the calls that are made, and what happens when one goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.plan import Phase, Plan, Step
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.remote.apply import Applier
from cf_mtls.remote.bounds import LIMITS, Run
from cf_mtls.remote.pace import Pace
from cf_mtls.remote.stages import Boundary, after, batches, on_the_way
from tests.remote.fakes import ACCOUNT, Fake, FakeTime, ok, refused

END = datetime(2030, 1, 1, tzinfo=UTC)
CA = CaCertificate("c (cf-mtls s)", ("a.net",), ("11" * 16,), (END,), "ab", "PEM")
CA_AT = Address(Kind.CERTIFICATE, "11" * 16)
APP = AccessApplication(
    "a (cf-mtls s)", (public("a.net"),), (AccessPolicy("p", "non_identity", (Rule("certificate"),)),)
)
APP_AT = Address(Kind.APPLICATION, "a.net")
HOME = f"/accounts/{ACCOUNT}/access"
MADE: dict[str, Any] = {
    "id": "new",
    "name": CA.name,
    "associated_hostnames": ["a.net"],
    "fingerprint": "MD5 Fingerprint=" + ":".join(["11"] * 16),
    "expires_on": "2030-01-01T00:00:00Z",
}


def plan(steps: Iterable[Step], actual: State | None = None) -> Plan:
    """A plan of these steps, from what is there to what they leave."""
    listed, before = tuple(steps), actual or State()
    return Plan("s", Scope("account", ACCOUNT), before, after(before, listed), (), listed)


def step(phase: Phase, address: Address, value: Resource | None, **more: Any) -> Step:
    return Step(phase, address, value, address, **more)


def run(fake: Fake, made: Plan) -> FakeTime:
    time = FakeTime()
    Applier(fake.writer(), time.pace()).apply(made)
    return time


UPLOAD = step(Phase.UPLOAD, CA_AT, CA)


def test_an_upload_carries_pem_and_hostnames() -> None:
    """One POST; the returned fingerprint is one of ours."""
    fake = Fake(lambda request, _: ok([]) if request.method == "GET" else ok(MADE, 201))
    run(fake, plan([UPLOAD]))
    assert fake.seen[1:] == [
        (
            "POST",
            f"{HOME}/certificates",
            {"name": CA.name, "certificate": "PEM", "associated_hostnames": ["a.net"]},
        )
    ]


def test_an_upload_that_comes_back_as_something_else_stops() -> None:
    """A fingerprint that is of none of our blocks is not "applied"."""
    other = {**MADE, "fingerprint": "MD5 Fingerprint=" + ":".join(["22"] * 16)}
    with pytest.raises(Failure, match="not ours"):
        run(Fake(lambda request, _: ok([]) if request.method == "GET" else ok(other, 201)), plan([UPLOAD]))


def test_a_lost_answer_is_settled_by_looking() -> None:
    """The POST landed but its answer was lost: it is found in the list, and not sent again."""
    fake = Fake(
        lambda request, n: (
            httpx.ReadError("lost") if request.method == "POST" else ok([MADE] if n > 1 else [])
        )
    )
    run(fake, plan([UPLOAD]))
    assert [m for m, _, _ in fake.seen] == ["GET", "POST", "GET"]


def test_a_lost_answer_that_did_not_land_is_a_failure() -> None:
    """Nothing in the list: the run stops and says so; running again is safe."""
    fake = Fake(lambda request, _: httpx.ReadError("lost") if request.method == "POST" else ok([]))
    with pytest.raises(Failure, match="lost"):
        run(fake, plan([UPLOAD]))
    assert [m for m, _, _ in fake.seen] == ["GET", "POST", "GET"]


def test_what_somebody_else_uploaded_or_changed_meanwhile_stops_the_run() -> None:
    """Two runs at once: the later one sees the other's work before writing, says so, and makes nothing twice."""
    with pytest.raises(Failure, match="somebody else"):
        run(Fake(lambda *_: ok([MADE])), plan([UPLOAD]))
    fake = Fake(lambda *_: ok({**MADE, "associated_hostnames": ["a.net", "theirs.net"]}))
    bare = replace(CA, id="1", associated_hostnames=())
    with pytest.raises(Failure, match="associated_hostnames"):
        run(fake, plan([step(Phase.NARROW, CA_AT, bare)], State({CA_AT: replace(CA, id="1")})))
    assert {m for m, _, _ in fake.seen} == {"GET"}


def test_a_stop_finishes_the_call_and_says_what_is_left() -> None:
    """Asked to stop after the first step: the second is not begun, and the message lists it."""
    fake = Fake(lambda request, _: ok([]) if request.method == "GET" else ok(MADE, 201))
    done: list[Step] = []
    pace = Pace(stopping=lambda: bool(done))
    with pytest.raises(
        Failure, match=r"1 of 2 steps were done\. Left:\n    demand    application/a\.net"
    ) as caught:
        Applier(fake.writer(), pace, done.append).apply(plan([UPLOAD, step(Phase.DEMAND, APP_AT, APP)]))
    assert caught.value.exit_code is Exit.INTERRUPTED


@pytest.mark.parametrize("gap", [False, True])
def test_a_run_whose_time_is_over_begins_no_step_and_ends_no_gap(gap: bool) -> None:
    """After its hour the next step is not begun, and that is said; in a gap the new CA still comes."""
    at, done = [0.0], list[Step]()
    limits = replace(LIMITS, run_s=100, now=lambda: at[0])
    fake = (
        account_in_a_gap(set()) if gap else Fake(lambda r, _: ok([]) if r.method == "GET" else ok(MADE, 201))
    )
    before = [*THROUGH_A_GAP] if gap else [UPLOAD]

    def said(one: Step) -> None:
        done.append(one)
        at[0] += 200

    with pytest.raises(Failure, match=rf"{len(before)} of {len(before) + 1} steps were done") as caught:
        Applier(fake.writer(), Pace(run=Run(limits)), said).apply(
            plan([*before, step(Phase.DEMAND, APP_AT, APP)], State({OLD_AT: OLD} if gap else {}))
        )
    assert [(d.code.code, "100 s" in d.detail) for d in caught.value.diagnostics] == [
        ("apply.too-long", True)
    ]
    assert caught.value.exit_code is Exit.ERROR
    assert len(done) == len(before)


def test_new_trust_is_proven_before_old_trust_is_taken() -> None:
    """In a rotation the proof comes between widening and narrowing; when it fails, the old CA stays."""
    fake = Fake(lambda request, _: ok([]) if request.method == "GET" else ok(MADE, 201))
    old_at = Address(Kind.CERTIFICATE, "22" * 16)
    old = replace(CA, fingerprints=("22" * 16,), id="1")

    def disproved(boundary: Boundary) -> None:
        if boundary.leaving:
            raise Failure([])

    steps = [UPLOAD, step(Phase.NARROW, old_at, replace(old, associated_hostnames=()), wait="detached")]
    with pytest.raises(Failure):
        Applier(fake.writer(), FakeTime().pace(), between=disproved).apply(plan(steps, State({old_at: old})))
    assert [m for m, _, _ in fake.seen] == ["GET", "POST"]


def test_applications_of_different_groups_go_side_by_side() -> None:
    """Neighbouring steps are one batch only when no host connects them."""
    steps = [
        Step(Phase.DEMAND, Address(Kind.APPLICATION, f"{host}.net"), APP, APP_AT, group=group)
        for host, group in (("a", 0), ("b", 1), ("c", 1), ("d", 2))
    ]
    assert [[s.address.key for s in batch] for batch in batches(steps)] == [
        ["a.net", "b.net"],
        ["c.net", "d.net"],
    ]


def test_a_put_of_a_certificate_always_names_every_hostname() -> None:
    """Leaving the list out would let go of the hosts."""
    fake = Fake(lambda _, n: ok(MADE if n == 1 else {**MADE, "associated_hostnames": []}))
    actual = State({CA_AT: replace(CA, id="1")})
    bare = replace(CA, id="1", associated_hostnames=())
    run(fake, plan([step(Phase.NARROW, CA_AT, bare, wait="detached")], actual))
    assert fake.seen[1] == ("PUT", f"{HOME}/certificates/1", {"name": CA.name, "associated_hostnames": []})
    assert [(m, p) for m, p, _ in fake.seen[::2]] == [("GET", f"{HOME}/certificates/1")] * 2


def test_a_ca_that_never_lets_go_is_never_deleted() -> None:
    """When time is out the run stops; it does not go on to delete."""
    fake = Fake(lambda *_: ok(MADE))
    actual = State({CA_AT: replace(CA, id="1")})
    steps = [
        step(Phase.NARROW, CA_AT, replace(CA, id="1", associated_hostnames=()), wait="detached"),
        step(Phase.DELETE, CA_AT, None),
    ]
    with pytest.raises(Failure, match="did not take effect"):
        run(fake, plan(steps, actual))
    assert "DELETE" not in {m for m, _, _ in fake.seen}


def test_absence_is_success_when_removing() -> None:
    """Somebody was quicker: that is what was wanted."""
    fake = Fake(lambda *_: refused(404, 0, "access.api.error.not_found"))
    run(fake, plan([step(Phase.DELETE, CA_AT, None)], State({CA_AT: replace(CA, id="1")})))
    assert fake.seen == [("DELETE", f"{HOME}/certificates/1", None)]


def test_an_application_is_sent_whole_with_its_policies() -> None:
    """Type, name, domain, destinations, and policies in order with their places."""
    fake = Fake(lambda *_: ok({"id": "2", "name": APP.name, "domain": "a.net"}, 201))
    run(fake, plan([step(Phase.DEMAND, APP_AT, APP)]))
    (method, path, body) = fake.seen[0]
    assert (method, path) == ("POST", f"{HOME}/apps")
    assert body == {
        "type": "self_hosted",
        "name": APP.name,
        "domain": "a.net",
        "destinations": [{"type": "public", "uri": "a.net"}],
        "policies": [
            {
                "name": "p", "decision": "non_identity", "precedence": 1,
                "include": [{"certificate": {}}], "require": [], "exclude": [],
            }
        ],
    }  # fmt: skip


def test_settings_are_one_put_that_repeats_what_must_stay() -> None:
    """Right whether the PUT merges or replaces: ours, a reset, and the foreign entry together."""
    hosts = {h: Address(Kind.SETTINGS, h) for h in ("a.net", "b.net", "foreign.net")}
    forwarding = {h: HostnameSettings(h, client_certificate_forwarding=True) for h in hosts}
    stored = [{"hostname": h, "client_certificate_forwarding": h != "b.net"} for h in hosts]
    fake = Fake(lambda request, _: ok(stored, 202 if request.method == "PUT" else 200))
    actual = State({hosts[h]: forwarding[h] for h in ("b.net", "foreign.net")})
    steps = [
        step(Phase.SETTINGS, hosts["a.net"], forwarding["a.net"], wait="settled"),
        step(Phase.SETTINGS, hosts["b.net"], None, wait="settled"),
    ]
    run(fake, plan(steps, actual))
    (method, path, body) = fake.seen[0]
    assert (method, path) == ("PUT", f"{HOME}/certificates/settings")
    sent = {e["hostname"]: e["client_certificate_forwarding"] for e in body["settings"]}
    assert sent == {"a.net": True, "b.net": False, "foreign.net": True}
    assert [m for m, _, _ in fake.seen] == ["PUT", "GET"]


def test_the_first_failure_stops_the_run() -> None:
    """Later steps rely on earlier ones, so none of them is tried."""
    fake = Fake(lambda *_: refused(400, 12130, "access.api.error.invalid_request: no"))
    with pytest.raises(Failure):
        run(fake, plan([UPLOAD, step(Phase.DEMAND, APP_AT, APP)]))
    assert len(fake.seen) == 1


def test_an_earlier_runs_work_that_is_still_arriving_is_not_somebody_else() -> None:
    """A hostname that was being taken when the plan was read may be gone by now; one that is new may not."""
    two = replace(CA, id="1", associated_hostnames=("a.net", "b.net"))
    bare = replace(two, associated_hostnames=())
    assert on_the_way(two, replace(two, associated_hostnames=("b.net",)), bare)
    assert on_the_way(bare, replace(two, associated_hostnames=("a.net",)), two)
    assert not on_the_way(two, replace(two, associated_hostnames=("theirs.net",)), bare)
    assert not on_the_way(two, replace(bare, name="theirs"), bare)
    assert not on_the_way(two, bare, two)


@pytest.mark.parametrize("result", [None, [], {}, {"id": "1"}, "text"])
def test_an_answer_of_another_shape_is_cloudflares_fault(result: Any) -> None:
    """Not a traceback, and not taken for success."""
    fake = Fake(lambda request, _: ok([]) if request.method == "GET" else ok(result, 201))
    with pytest.raises(Failure, match="is not understood"):
        run(fake, plan([UPLOAD]))


OLD_AT = Address(Kind.CERTIFICATE, "old")
OLD = replace(CA, name="old (cf-mtls s)", fingerprints=("22" * 16,), pem="OLD PEM", id="old")
THROUGH_A_GAP = [
    step(Phase.NARROW, OLD_AT, replace(OLD, associated_hostnames=())),
    step(Phase.DELETE, OLD_AT, None),
    UPLOAD,
]


def account_in_a_gap(refuses: set[str], before: str = "") -> Fake:
    """An account that has the old CA until it is deleted, and refuses uploads of these PEMs, or its deletion."""
    raw = {**MADE, "id": "old", "name": OLD.name, "fingerprint": "MD5 Fingerprint=" + ":".join(["22"] * 16)}
    gone: list[bool] = []

    def answer(request: httpx.Request, _: int) -> Any:
        if request.method == "DELETE":
            gone.append(True)
        body = json.loads(request.content) if request.content else {}
        match request.method:
            case "DELETE" if before:
                gone.pop()
                return refused(400, 1001, before)
            case "POST" if body["certificate"] in refuses:
                return refused(409, 12031, "no")
            case "POST":
                return (
                    ok({**MADE, "name": body["name"], "fingerprint": raw["fingerprint"]}, 201)
                    if (body["certificate"] == OLD.pem)
                    else ok(MADE, 201)
                )
            case "GET" if request.url.path.endswith("/old"):
                return ok(raw)
            case "GET":
                return ok([] if gone else [raw])
            case _:
                return ok(raw)

    return Fake(answer)


@pytest.mark.parametrize(
    ("refuses", "said", "posts"),
    [
        ({CA.pem}, "apply.put-back", [CA.pem, OLD.pem]),
        ({CA.pem, OLD.pem}, "apply.not-put-back", [CA.pem, OLD.pem]),
    ],
)
def test_what_had_to_go_first_is_put_back_when_its_successor_cannot_come(
    refuses: set[str], said: str, posts: list[str]
) -> None:
    """The old PEM goes up again with its hostnames; when that fails too, it is said what is missing where."""
    fake = account_in_a_gap(refuses)
    with pytest.raises(Failure) as caught:
        run(fake, plan(THROUGH_A_GAP, State({OLD_AT: OLD})))
    assert said in [d.code.code for d in caught.value.diagnostics]
    assert "a.net" in str(caught.value)
    assert caught.value.exit_code is Exit.VERIFY_FAILED
    bodies = [body for method, _, body in fake.seen if method == "POST"]
    assert [body["certificate"] for body in bodies] == posts
    assert (bodies[-1]["name"], bodies[-1]["associated_hostnames"]) == (OLD.name, ["a.net"])


def test_hostnames_are_put_back_when_the_old_ca_cannot_be_deleted() -> None:
    """It is still there, so one PUT gives them back; nothing was uploaded."""
    fake = account_in_a_gap(set(), before="no")
    with pytest.raises(Failure) as caught:
        run(fake, plan(THROUGH_A_GAP, State({OLD_AT: OLD})))
    assert "apply.put-back" in [d.code.code for d in caught.value.diagnostics]
    puts = [body["associated_hostnames"] for method, _, body in fake.seen if method == "PUT"]
    assert puts == [[], ["a.net"]]
    assert not [m for m, _, _ in fake.seen if m == "POST"]


def test_nobody_can_stop_a_run_in_a_gap() -> None:
    """Ctrl-C after the old CA lost its hostnames: the new one still comes; the run ends behind the gap."""
    fake = account_in_a_gap(set())
    done: list[Step] = []
    steps = [*THROUGH_A_GAP, step(Phase.DEMAND, APP_AT, APP)]
    with pytest.raises(Failure, match=r"3 of 4 steps were done") as caught:
        Applier(fake.writer(), Pace(stopping=lambda: bool(done)), done.append).apply(
            plan(steps, State({OLD_AT: OLD}))
        )
    assert caught.value.exit_code is Exit.INTERRUPTED
