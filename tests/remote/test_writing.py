"""The safety of writes: looked at before, settled by looking after, and nothing goes on past a failure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.plan import Phase, Plan, Step
from cf_mtls.model.resources import Address, HostnameSettings, Kind, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.remote.apply import Applier
from cf_mtls.remote.stages import Boundary, Setback
from tests.remote.fakes import ACCOUNT, Fake, FakeTime, Reply, ok, refused
from tests.remote.test_apply import APP, APP_AT, CA, CA_AT, HOME, MADE, UPLOAD, plan, run, step

ASKS = {"id": "p", "name": "p", "decision": "non_identity", "include": [{"certificate": {}}], "precedence": 1}
ANSWER = {"id": "2", "name": APP.name, "domain": "a.net", "policies": [ASKS]}
THERE = replace(APP, id="2")
TAGGED = replace(THERE, fields=freeze_object({"tags": ["x"]}))
OPENED = {**ANSWER, "policies": [{**ASKS, "decision": "bypass", "include": [{"everyone": {}}]}]}


def on(scope_kind: Any, made: Plan) -> Plan:
    return replace(made, scope=Scope(scope_kind, ACCOUNT))


@pytest.mark.parametrize(
    ("at", "there", "wanted", "shown"),
    [
        (APP_AT, THERE, TAGGED, OPENED),
        (APP_AT, THERE, TAGGED, {**ANSWER, "name": "theirs"}),
        (CA_AT, replace(CA, id="1"), replace(CA, id="1", associated_hostnames=()),
         {**MADE, "associated_hostnames": ["a.net", "theirs.net"]}),
        (CA_AT, replace(CA, id="1"), replace(CA, id="1", associated_hostnames=("a.net", "b.net")),
         {**MADE, "name": "theirs"}),
    ],
)  # fmt: skip
def test_what_somebody_else_changed_meanwhile_is_never_written_over(
    at: Address, there: Resource, wanted: Resource, shown: dict[str, Any]
) -> None:
    """Applications and CAs alike are looked at before the write: refused, exit 4, nothing sent."""
    fake = Fake(lambda *_: ok(shown))
    with pytest.raises(Failure, match="somebody else") as caught:
        run(fake, plan([step(Phase.DEMAND, at, wanted)], State({at: there})))
    assert caught.value.exit_code is Exit.REFUSED
    assert {m for m, _, _ in fake.seen} == {"GET"}


@pytest.mark.parametrize(
    "reply", [refused(404, 0, "not found"), refused(403, 10000, "no"), httpx.ReadError("lost")]
)
def test_what_cannot_be_looked_at_is_not_written(reply: Reply) -> None:
    """Gone, forbidden or not answered: the run stops before the write."""
    fake = Fake(lambda *_: reply)
    with pytest.raises(Failure) as caught:
        run(fake, plan([step(Phase.DEMAND, APP_AT, TAGGED)], State({APP_AT: THERE})))
    assert {m for m, _, _ in fake.seen} == {"GET"}
    assert "api.strange-answer" not in {d.code.code for d in caught.value.diagnostics}


def test_an_application_that_is_as_it_was_read_is_written() -> None:
    """Looked at, then one PUT to its id."""
    fake = Fake(lambda *_: ok(ANSWER))
    run(fake, plan([step(Phase.DEMAND, APP_AT, TAGGED)], State({APP_AT: THERE})))
    assert [(m, p) for m, p, _ in fake.seen] == [("GET", f"{HOME}/apps/2"), ("PUT", f"{HOME}/apps/2")]


CREATES = [(UPLOAD, MADE, "certificates"), (step(Phase.DEMAND, APP_AT, APP), ANSWER, "apps")]
HTML, ODD = httpx.Response(200, text="<html>"), httpx.Response(201, json={"success": "yes", "result": {}})
UNKNOWN_FATES = [
    refused(500, 0, "oops"), refused(502, 0, "oops"), refused(599, 0, "x"), httpx.ReadError("lost"), HTML, ODD,
]  # fmt: skip


@pytest.mark.parametrize(("made", "shown", "path"), CREATES)
@pytest.mark.parametrize("trouble", UNKNOWN_FATES)
def test_a_post_whose_fate_is_unknown_is_settled_by_looking(
    made: Step, shown: dict[str, Any], path: str, trouble: Reply
) -> None:
    """A lost answer and a failing server alike: when it landed it is taken, and it is never sent again."""
    posted: list[int] = []

    def reply(request: httpx.Request, n: int) -> Reply:
        if request.method == "POST":
            posted.append(n)
            return trouble
        return ok([shown] if posted else [])

    run(Fake(reply), plan([made]))
    assert len(posted) == 1


@pytest.mark.parametrize(("made", "shown", "path"), CREATES)
@pytest.mark.parametrize("trouble", UNKNOWN_FATES)
def test_what_did_not_land_stops_the_run(
    made: Step, shown: dict[str, Any], path: str, trouble: Reply
) -> None:
    """Other things in the list are not it: one of another name, or with another content or domain."""
    near = [
        {**shown, "id": "9", "name": "theirs"},
        {
            **shown,
            "id": "8",
            **({"domain": "b.net"} if path == "apps" else {"fingerprint": "MD5=" + "22" * 16}),
        },
    ]
    posted: list[int] = []

    def reply(request: httpx.Request, n: int) -> Reply:
        if request.method == "POST":
            posted.append(n)
            return trouble
        return ok(near if posted else [])

    with pytest.raises(Failure):
        run(Fake(reply), plan([made]))
    assert len(posted) == 1


@pytest.mark.parametrize(("made", "shown", "path"), CREATES)
def test_a_refusal_is_final_and_nothing_is_looked_for(made: Step, shown: dict[str, Any], path: str) -> None:
    """4xx says that it did not land: what already stands there under our name is not taken for it."""
    posted: list[int] = []

    def reply(request: httpx.Request, n: int) -> Reply:
        if request.method == "POST":
            posted.append(n)
            return refused(400, 12130, "no")
        return ok([shown] if posted else [])

    fake = Fake(reply)
    with pytest.raises(Failure):
        run(fake, plan([made]))
    assert fake.seen[-1][0] == "POST"


@pytest.mark.parametrize("trouble", [refused(400, 12130, "no"), refused(403, 10000, "no")])
@pytest.mark.parametrize(
    ("made", "start"),
    [
        (step(Phase.DEMAND, APP_AT, TAGGED), {APP_AT: THERE}),
        (step(Phase.DELETE, CA_AT, None), {CA_AT: replace(CA, id="1")}),
        (step(Phase.RELEASE, APP_AT, None), {APP_AT: THERE}),
        (step(Phase.SETTINGS, Address(Kind.SETTINGS, "a.net"), HostnameSettings("a.net", china_network=True)), {}),
    ],
)  # fmt: skip
def test_a_write_that_is_refused_stops_the_run(
    made: Step, start: dict[Address, Resource], trouble: Reply
) -> None:
    """Updates, deletions and settings: the step is not reported as done, and the next is not tried."""
    fake = Fake(lambda request, _: trouble if request.method != "GET" else ok(ANSWER))
    done: list[Step] = []
    after = step(Phase.DELETE, Address(Kind.CERTIFICATE, "33"), None)
    start = {**start, after.address: replace(CA, id="3")}
    with pytest.raises(Failure):
        Applier(fake.writer(), FakeTime().pace(), done.append).apply(plan([made, after], State(start)))
    assert done == []
    assert not any(path.endswith("/certificates/3") for _, path, _ in fake.seen)


def test_one_of_several_side_by_side_that_fails_stops_the_run() -> None:
    """The others are finished and reported; what comes after is not tried."""
    steps = [
        Step(Phase.DEMAND, Address(Kind.APPLICATION, f"{h}.net"), replace(APP, name=h), APP_AT, group=n)
        for n, h in enumerate("ab")
    ]
    last = step(Phase.DELETE, CA_AT, None)

    def reply(request: httpx.Request, _: int) -> Reply:
        return (
            refused(400, 12130, "no") if b'"name":"a"' in request.content.replace(b": ", b":") else ok(ANSWER)
        )

    fake, done = Fake(reply), list[Step]()
    made = plan([*steps, last], State({CA_AT: replace(CA, id="1")}))
    with pytest.raises(Failure):
        Applier(fake.writer(), FakeTime().pace(), done.append).apply(made)
    assert done == [steps[1]]
    assert "DELETE" not in {m for m, _, _ in fake.seen}


@pytest.mark.parametrize(
    ("phases", "asked"),
    [
        ((), []),
        ((Phase.UPLOAD,), [Phase.UPLOAD, None]),
        ((Phase.UPLOAD, Phase.UPLOAD, Phase.DEMAND), [Phase.UPLOAD, Phase.DEMAND, None]),
        ((Phase.RELEASE, Phase.NARROW, Phase.DELETE), [Phase.RELEASE, Phase.NARROW, Phase.DELETE, None]),
    ],
)
def test_the_edge_is_looked_at_before_every_phase(
    phases: tuple[Phase, ...], asked: list[Phase | None]
) -> None:
    """Also before the first (an earlier run may have been killed a moment ago), and at the end."""
    steps = [step(phase, Address(Kind.CERTIFICATE, str(n)), None) for n, phase in enumerate(phases)]
    seen: list[Boundary] = []
    Applier(Fake(lambda *_: ok([])).writer(), FakeTime().pace(), between=seen.append).apply(plan(steps))
    assert [boundary.next for boundary in seen] == asked
    assert [len(boundary.done) + len(boundary.left) for boundary in seen] == [len(steps)] * len(asked)


def test_a_zones_settings_repeat_only_its_own_hostnames() -> None:
    """Its list may show other zones' hostnames, which its PUT refuses: facts 2. xa.net is not in a.net."""
    hosts = {h: Address(Kind.SETTINGS, h) for h in ("a.net", "x.a.net", "xa.net", "b.net")}
    stored = {h: HostnameSettings(h, client_certificate_forwarding=True) for h in hosts}
    wanted = HostnameSettings("new.a.net", china_network=True)
    shown = [{"hostname": "new.a.net", "china_network": True}]

    def reply(request: httpx.Request, _: int) -> Reply:
        return ok({"id": ACCOUNT, "name": "A.net"} if request.url.path.endswith(ACCOUNT) else shown)

    fake = Fake(reply)
    made = plan([step(Phase.SETTINGS, Address(Kind.SETTINGS, "new.a.net"), wanted, wait="settled")],
                State((hosts[h], s) for h, s in stored.items()))  # fmt: skip
    Applier(fake.writer(), FakeTime().pace()).apply(on("zone", made))
    (body,) = (b for m, _, b in fake.seen if m == "PUT")
    assert [e["hostname"] for e in body["settings"]] == ["a.net", "new.a.net", "x.a.net"]


def test_settings_that_do_not_become_what_was_written_stop_the_run() -> None:
    """The job may be lost: when time is out, nothing is reported as done."""
    at, wanted = Address(Kind.SETTINGS, "a.net"), HostnameSettings("a.net", china_network=True)
    fake, done = Fake(lambda *_: ok([])), list[Step]()
    with pytest.raises(Failure, match="did not take effect"):
        Applier(fake.writer(), FakeTime().pace(), done.append).apply(plan([step(Phase.SETTINGS, at, wanted)]))
    assert done == []


@pytest.mark.parametrize(
    ("steps", "start", "shown", "code"),
    [
        ([step(Phase.DEMAND, APP_AT, TAGGED)], {APP_AT: THERE}, OPENED, "apply.changed-meanwhile"),
        ([step(Phase.NARROW, CA_AT, replace(CA, id="1", associated_hostnames=()), wait="detached")],
         {CA_AT: replace(CA, id="1")}, MADE, "apply.not-settled"),
    ],
)  # fmt: skip
def test_what_stops_a_run_has_a_code(
    steps: list[Step], start: dict[Address, Resource], shown: dict[str, Any], code: str
) -> None:
    """Whoever reads logs recognises it."""
    with pytest.raises(Failure) as caught:
        run(Fake(lambda *_: ok(shown)), plan(steps, State(start)))
    assert [d.code.code for d in caught.value.diagnostics] == [code]


def test_an_upload_that_is_not_ours_and_a_stop_have_their_codes() -> None:
    """What came back is another CA; somebody wants the run to end."""
    other = {**MADE, "fingerprint": "MD5 Fingerprint=" + ":".join(["22"] * 16)}
    with pytest.raises(Failure) as caught:
        run(Fake(lambda request, _: ok([]) if request.method == "GET" else ok(other, 201)), plan([UPLOAD]))
    assert [d.code.code for d in caught.value.diagnostics] == ["apply.wrong-fingerprint"]
    pace = replace(FakeTime().pace(), stopping=lambda: True)
    with pytest.raises(Failure) as caught:
        Applier(Fake(lambda *_: ok([])).writer(), pace).apply(plan([UPLOAD]))
    assert [d.code.code for d in caught.value.diagnostics] == ["apply.stopped"]


LOST = Code("apply.client-lost", Severity.ERROR, Fault.CLOUDFLARE, "a declared client lost its access")
TWO = replace(CA, id="1", associated_hostnames=("a.net", "b.net", "c.net"))
LEFT = replace(TWO, associated_hostnames=("c.net",))


def setback(hosts: set[str], shown: dict[str, Any] | None = None) -> tuple[Fake, Failure]:
    """A run that takes two hostnames from a CA and then hears that these must be put back."""
    narrow, delete = (
        step(Phase.NARROW, CA_AT, LEFT),
        step(Phase.DELETE, Address(Kind.CERTIFICATE, "33"), None),
    )
    now: dict[str, Any] = {**MADE, "associated_hostnames": list(TWO.associated_hostnames)}

    def reply(request: httpx.Request, n: int) -> Reply:
        if request.method == "PUT":
            now["associated_hostnames"] = json.loads(request.content)["associated_hostnames"]
            return ok(now)
        return ok({**now, **(shown if shown and now["associated_hostnames"] == ["c.net"] else {})})

    def between(boundary: Boundary) -> Setback | None:
        return Setback(frozenset(hosts), LOST.found("mary is out")) if boundary.is_narrowed else None

    fake = Fake(reply)
    start = State({CA_AT: TWO, delete.address: replace(CA, id="3", associated_hostnames=())})
    with pytest.raises(Failure) as caught:
        Applier(fake.writer(), FakeTime().pace(), between=between).apply(plan([narrow, delete], start))
    return fake, caught.value


@pytest.mark.parametrize(
    ("hosts", "put"),
    [
        ({"a.net"}, ["a.net", "c.net"]),
        ({"a.net", "b.net"}, ["a.net", "b.net", "c.net"]),
        ({"elsewhere.net"}, None),
    ],
)
def test_whoever_lost_access_has_just_those_hostnames_put_back(
    hosts: set[str], put: list[str] | None
) -> None:
    """One PUT with what stands and what comes back; exit 3, and no CA is deleted."""
    fake, failure = setback(hosts)
    puts = [body["associated_hostnames"] for method, _, body in fake.seen if method == "PUT"]
    assert puts == [["c.net"], *([put] if put else [])]
    assert (failure.exit_code, failure.diagnostics[0].code) == (Exit.VERIFY_FAILED, LOST)
    assert "DELETE" not in {method for method, _, _ in fake.seen}


def test_nothing_is_put_back_over_somebody_elses_change() -> None:
    """Looked at first; then that is said beside the loss, and nothing is written."""
    fake, failure = setback({"a.net"}, {"name": "theirs"})
    assert [m for m, _, _ in fake.seen].count("PUT") == 1
    assert [d.code.code for d in failure.diagnostics] == ["apply.client-lost", "apply.changed-meanwhile"]
    assert failure.exit_code is Exit.VERIFY_FAILED
