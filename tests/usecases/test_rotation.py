"""The two moments of a rotation, with a witness that answers as it is told: shown, stopped, or put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.evidence import Evidence, Got, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import Address, CaCertificate, Contents, Resource
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.proving import Patience
from cf_mtls.remote.pace import Clock
from cf_mtls.remote.stages import Boundary, Setback, after
from cf_mtls.rotation import LAG_S, Rotation
from cf_mtls.settle import Settler
from cf_mtls.verify.wallet import Wallet
from tests.conftest import Pki
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

NOW = datetime.now(UTC)
HOST, URL = "a.net", "https://a.net/"
EDGE = (("cf-ray", "1-FAKE"),)
IN, OUT = Evidence(200, "HTTP/2", EDGE), Evidence(403, "HTTP/2", (*EDGE, ("cf-access-aud", "x")))
SILENT, DOWN = Evidence(failure=Got.UNREACHABLE, detail="no way"), Evidence(522, "HTTP/2", EDGE)


@pytest.fixture(scope="module")
def new() -> Authority:
    return root("New Root", now=NOW)


@dataclass
class Edge:
    """A witness: each who with what it gets, at a time that passes by sleeping; and what the run said."""

    answers: Mapping[str, Callable[[float], Evidence]]
    at: float = 0.0
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    name: str = "fake"
    can: frozenset[int] = frozenset(range(1, 10))
    at_once: int = 1

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        self.asked.append(probe.who)
        return self.answers[probe.who](self.at)


def always(seen: Evidence) -> Callable[[float], Evidence]:
    return lambda _: seen


def until(when: float, first: Evidence, then: Evidence) -> Callable[[float], Evidence]:
    return lambda at: first if at < when else then


BARE = "no certificate"


@dataclass
class Bench:
    """A rotation from the CA of `pki.clients` to a new one, on one hostname."""

    pki: Pki
    new: Authority
    policies: tuple[object, ...] = ()
    unproven: frozenset[str] = frozenset()
    given_up: frozenset[str] = frozenset()
    others: tuple[CaCertificate, ...] = ()
    leaving: tuple[CaCertificate, ...] = ()
    """CAs beside the first that leave the hostname too."""

    def trust(self, key: str, of: Authority, *hosts: str) -> CaCertificate:
        found = ca(key, *hosts, pem=of.chain.pem, contents=Contents.KNOWN)
        return replace(found, name=f"fleet {key * 32} (cf-mtls s)")

    @property
    def start(self) -> State:
        cas: list[CaCertificate] = [
            self.trust("1", self.pki.clients, HOST),
            self.trust("2", self.new, HOST),
            *self.others,
            *self.leaving,
        ]
        found: dict[Address, Resource] = {ca_at(c.fingerprints[0]): c for c in cas}
        return State({**found, app_at(HOST): app(HOST, *self.policies)})  # type: ignore[arg-type]

    @property
    def steps(self) -> tuple[Step, ...]:
        gone = (self.trust("1", self.pki.clients, HOST), *self.leaving)
        bare = {ca_at(c.fingerprints[0]): replace(c, associated_hostnames=()) for c in gone}
        narrows = [Step(Phase.NARROW, at, value, at) for at, value in bare.items()]
        return (*narrows, *(Step(Phase.DELETE, at, None, at) for at in bare))

    def boundary(self, done: int) -> Boundary:
        steps, start = self.steps, self.start
        return Boundary(steps[:done], steps[done:], after(start, steps[:done]), after(start, steps), start)

    def rotation(self, edge: Edge, clients: Mapping[str, Identity], **expect: Expected) -> Rotation:
        listed = tuple(Client(n, f"{n}.pem", f"{n}.key", expect.get(n)) for n in clients)
        patience = Patience(Clock(lambda: edge.at, edge.sleep), 5.0)
        return Rotation(
            "s", (Target(URL, "a"),), Wallet(dict(clients), listed), edge, patience, lambda: NOW, edge.said.append,
            self.unproven, self.given_up,
        )  # fmt: skip


@pytest.fixture
def bench(pki: Pki, new: Authority) -> Bench:
    return Bench(pki, new)


@pytest.fixture(scope="module")
def mary(new: Authority) -> Identity:
    return new.issue("mary", now=NOW)


def codes(failure: Failure) -> list[str]:
    return [d.code.code for d in failure.diagnostics]


# Before


def test_a_successor_is_shown_by_a_client_that_it_alone_accepts(bench: Bench, mary: Identity) -> None:
    """In with its certificate, out without: said who and where, and the run goes on."""
    edge = Edge({"mary": always(IN), BARE: always(OUT)})
    bench.rotation(edge, {"mary": mary}).before(bench.boundary(0))
    assert any("Shown: mary gets in" in line for line in edge.said)


def test_a_client_that_is_refused_stops_it(bench: Bench, mary: Identity) -> None:
    """Exit 3, nothing was taken."""
    edge = Edge({"mary": always(OUT), BARE: always(OUT)})
    with pytest.raises(Failure) as caught:
        bench.rotation(edge, {"mary": mary}).before(bench.boundary(0))
    assert (codes(caught.value), caught.value.exit_code) == (["apply.not-proven"], Exit.VERIFY_FAILED)


@pytest.mark.parametrize(
    ("shown", "bare"),
    [
        (SILENT, SILENT),
        (SILENT, OUT),
        (DOWN, OUT),
        (IN, SILENT),
        (IN, IN),
        (IN, DOWN),
        (Evidence(200, "HTTP/2"), OUT),
    ],
)
def test_what_shows_nothing_stops_it_unless_its_host_was_typed(
    bench: Bench, mary: Identity, shown: Evidence, bare: Evidence
) -> None:
    """An edge that cannot be asked, an open URL, an answer that is not the edge's: exit 1, not a proof."""
    edge = Edge({"mary": always(shown), BARE: always(bare)})
    for typed in ((), ("b.net",)):
        with pytest.raises(Failure) as caught:
            replace(bench, unproven=frozenset(typed)).rotation(edge, {"mary": mary}).before(bench.boundary(0))
        assert (codes(caught.value), caught.value.exit_code) == (["apply.successor-not-shown"], Exit.ERROR)
    allowed = replace(bench, unproven=frozenset({HOST}))
    allowed.rotation(edge, {"mary": mary}).before(bench.boundary(0))
    assert any("Not shown" in line for line in edge.said)


def test_a_client_of_the_old_ca_shows_nothing_of_the_new_one(bench: Bench, pki: Pki) -> None:
    """It gets in through the old trust: that is what the proof must not be fooled by."""
    edge = Edge({"jean": always(IN), BARE: always(OUT)})
    with pytest.raises(Failure) as caught:
        bench.rotation(edge, {"jean": pki.jean}).before(bench.boundary(0))
    assert codes(caught.value) == ["apply.successor-not-shown"]


def test_a_client_that_is_not_here_shows_nothing(bench: Bench, mary: Identity) -> None:
    """Declared, read, and its key elsewhere."""
    edge = Edge({"mary": always(IN), BARE: always(OUT)})
    run = bench.rotation(edge, {"mary": mary})
    away = tuple(replace(c, is_here=False) for c in run.wallet.clients)
    with pytest.raises(Failure) as caught:
        replace(run, wallet=replace(run.wallet, clients=away)).before(bench.boundary(0))
    assert codes(caught.value) == ["apply.successor-not-shown"]


def test_a_shut_url_is_no_proof_where_the_client_itself_could_not_be_asked(
    bench: Bench, mary: Identity
) -> None:
    """Another client gets in there, so the refusal without a certificate counts; of the new CA it says nothing."""
    third = root("Third Root", now=NOW)
    stays = replace(bench.trust("3", third, HOST), name="bank (cf-mtls s)")
    edge = Edge({"mary": always(DOWN), "carl": always(IN), BARE: always(OUT)})
    beside = replace(bench, others=(stays,))
    with pytest.raises(Failure) as caught:
        beside.rotation(edge, {"mary": mary, "carl": third.issue("carl", now=NOW)}).before(beside.boundary(0))
    assert codes(caught.value) == ["apply.successor-not-shown"]


def test_who_must_be_out_or_is_out_already_stops_nothing(bench: Bench, pki: Pki, mary: Identity) -> None:
    """Refused by the file's own word, or expired whatever the file demands: no proof waits for it."""
    over = pki.clients.issue("over", now=NOW, not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    zoe = bench.new.issue("zoe", now=NOW)
    edge = Edge({"mary": always(IN), "zoe": always(OUT), "over": always(OUT), BARE: always(OUT)})
    expect = {"zoe": Expected.REFUSED, "over": Expected.ALLOWED}
    run = bench.rotation(edge, {"mary": mary, "zoe": zoe, "over": over}, **expect)
    run.before(bench.boundary(0))
    assert run.after(bench.boundary(1)) is None


def test_where_nothing_takes_over_whoever_gets_in_must_still_do_so(bench: Bench, mary: Identity) -> None:
    """No CA of this stack is a successor there; a declared client that is refused stops the run."""
    edge = Edge({"mary": always(OUT), BARE: always(OUT)})
    with pytest.raises(Failure) as caught:
        replace(bench.rotation(edge, {"mary": mary}), stack="other").before(bench.boundary(0))
    assert codes(caught.value) == ["apply.not-proven"]


@pytest.mark.parametrize("seen", [OUT, SILENT])
def test_whoever_stops_the_run_is_told_of_nothing_else(bench: Bench, mary: Identity, seen: Evidence) -> None:
    """Ctrl-C ends the asking: what was not shown then is no fault of the new trust."""
    run = bench.rotation(Edge({"mary": always(seen), BARE: always(OUT)}), {"mary": mary})
    replace(run, patience=replace(run.patience, stopping=lambda: True)).before(bench.boundary(0))


# After


def afterwards(
    bench: Bench, edge: Edge, clients: Mapping[str, Identity], **expect: Expected
) -> Setback | None:
    return bench.rotation(edge, clients, **expect).after(bench.boundary(1))


def test_once_the_edge_shows_that_the_hostname_left_nobody_waits_longer(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """A client that the old CA alone accepted is refused, the others are in: on."""
    edge = Edge({"jean": until(2, IN, OUT), "mary": always(IN)})
    assert afterwards(bench, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED) is None
    assert 2 <= edge.at < LAG_S / 2
    assert any("Shown: jean is refused" in line for line in edge.said)


def test_an_edge_that_goes_on_letting_the_old_clients_in_stops_the_run(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """The deadline passes: exit 1, no CA is deleted."""
    edge = Edge({"jean": always(IN), "mary": always(IN)})
    with pytest.raises(Failure) as caught:
        afterwards(bench, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED)
    assert (codes(caught.value), caught.value.exit_code) == (["apply.still-trusted"], Exit.ERROR)


@pytest.mark.parametrize("seen", [SILENT, DOWN])
def test_an_edge_that_does_not_answer_shows_nothing_either(
    bench: Bench, pki: Pki, mary: Identity, seen: Evidence
) -> None:
    """Neither refused nor in: it is waited for, and then the run stops; only what is unseen may have been allowed."""
    edge = Edge({"jean": always(seen), "mary": always(IN)})
    with pytest.raises(Failure) as caught:
        afterwards(bench, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED)
    assert codes(caught.value) == ["apply.still-trusted"]
    elsewhere = replace(bench, unproven=frozenset({"b.net"}))
    with pytest.raises(Failure):
        afterwards(elsewhere, Edge(edge.answers), {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED)
    allowed = replace(bench, unproven=frozenset({HOST}))
    if seen is SILENT:
        assert (
            afterwards(allowed, Edge(edge.answers), {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED)
            is None
        )


def test_where_nobody_can_show_it_the_longest_lag_passes(bench: Bench, mary: Identity) -> None:
    """And the claim says so."""
    edge = Edge({"mary": always(IN)})
    assert afterwards(bench, edge, {"mary": mary}) is None
    assert edge.at >= LAG_S
    assert any("no declared client can show that" in line for line in edge.said)


@pytest.mark.parametrize("loses_at", [0.0, 5.0, LAG_S - 1])
def test_whoever_loses_its_access_has_the_hostnames_put_back(
    bench: Bench, mary: Identity, loses_at: float
) -> None:
    """Also late, as long as it is waited for; refused twice, so that one bad answer is no setback."""
    edge = Edge({"mary": until(loses_at, IN, OUT)})
    found = afterwards(bench, edge, {"mary": mary})
    assert found is not None
    assert (found.hosts, found.why.code.code) == ({HOST}, "apply.client-lost")


def test_one_bad_answer_is_none_while_the_lag_passes_either(bench: Bench, mary: Identity) -> None:
    """Long after the deadline of an ordinary proof, as long as it is waited for."""
    edge = Edge({"mary": lambda at: OUT if 20 <= at < 24 else IN})
    assert afterwards(bench, edge, {"mary": mary}) is None
    assert edge.at >= LAG_S


def test_who_must_get_in_is_asked_again_once_the_hostname_has_left(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """What was seen side by side with the old CA's last answer may be older than it."""
    edge = Edge({"jean": always(OUT), "mary": always(IN)})
    assert afterwards(bench, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED) is None
    assert edge.asked == ["jean", "mary", "mary"]


def test_a_client_that_was_given_up_shows_that_the_hostname_left(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """Whatever the file demands of it: it is refused, and that is what is waited for."""
    given_up = replace(bench, given_up=frozenset({f"jean@{URL}"}))
    edge = Edge({"jean": always(OUT), "mary": always(IN)})
    assert afterwards(given_up, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.ALLOWED) is None


def test_what_an_earlier_run_took_is_proven_before_its_ca_is_deleted(bench: Bench, mary: Identity) -> None:
    """The CA is on no hostname any more; those of its entry are looked at all the same."""
    steps, start = bench.steps[1:], bench.boundary(1).state
    boundary = Boundary((), steps, start, after(start, steps), start)
    found = bench.rotation(Edge({"mary": always(OUT)}), {"mary": mary}).after(boundary)
    assert found is not None
    assert found.hosts == {HOST}


def test_one_bad_answer_is_no_setback(bench: Bench, pki: Pki, mary: Identity) -> None:
    """Refused once and in again: looked at again before anything is put back."""
    bad = iter([OUT])
    edge = Edge({"jean": always(OUT), "mary": lambda _: next(bad, IN)})
    assert afterwards(bench, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED) is None


def test_an_edge_that_refuses_now_one_and_now_another_is_not_waited_for_for_ever(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """Nobody is refused twice in a row; at the deadline that is a loss."""
    rounds: list[float] = []

    def turn(at: float) -> bool:
        rounds.extend([at] if at not in rounds else [])
        return len(rounds) % 2 == 0

    edge = Edge({
        "jean": always(OUT), "mary": lambda at: IN if turn(at) else OUT, "ana": lambda at: OUT if turn(at) else IN
    })  # fmt: skip
    clients = {"jean": pki.jean, "mary": mary, "ana": bench.new.issue("ana", now=NOW)}
    assert afterwards(bench, edge, clients, jean=Expected.REFUSED) is not None
    assert edge.at < LAG_S


def test_where_everybody_gets_in_nothing_is_waited_for(bench: Bench, mary: Identity) -> None:
    """An open URL: no CA matters there, and a refusal at it is none of a rotation's."""
    edge = Edge({"mary": always(OUT)})
    assert afterwards(replace(bench, policies=(ANYONE,)), edge, {"mary": mary}) is None
    assert edge.asked == []


def test_every_ca_that_a_hostname_left_must_be_seen_gone(bench: Bench, pki: Pki, mary: Identity) -> None:
    """Two old ones, and a client of one of them: of the other nobody shows anything, so the longest lag passes."""
    second = replace(bench.trust("4", root("Second Root", now=NOW), HOST), name="gone (cf-mtls s)")
    both = replace(bench, others=(second,))
    narrow = Step(Phase.NARROW, ca_at("4"), replace(second, associated_hostnames=()), ca_at("4"))
    steps = (both.steps[0], narrow, both.steps[1], Step(Phase.DELETE, ca_at("4"), None, ca_at("4")))
    moment = Boundary(
        steps[:2], steps[2:], after(both.start, steps[:2]), after(both.start, steps), both.start
    )
    edge = Edge({"jean": always(OUT), "mary": always(IN)})
    run = both.rotation(edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED)
    assert run.after(moment) is None
    assert edge.at >= LAG_S


def test_at_the_deadline_a_loss_is_one_without_a_second_look(bench: Bench, mary: Identity) -> None:
    """There is no time to look again: rather put back once too often."""
    edge = Edge({"mary": until(LAG_S, IN, OUT)})
    found = afterwards(bench, edge, {"mary": mary})
    assert found is not None
    assert found.hosts == {HOST}


@pytest.mark.parametrize(
    ("typed", "lost"),
    [((), True), ((f"mary@{URL}",), False), ((f"ana@{URL}",), True), (("mary@https://b.net/",), True)],
)
def test_who_was_given_up_may_be_out(
    bench: Bench, mary: Identity, typed: tuple[str, ...], lost: bool
) -> None:
    """By its own name at this very URL."""
    edge = Edge({"mary": always(OUT)})
    found = afterwards(replace(bench, given_up=frozenset(typed)), edge, {"mary": mary})
    assert (found is not None) is lost


def test_where_nobody_could_be_asked_no_ca_is_deleted(bench: Bench, mary: Identity) -> None:
    """Unless its host was typed."""
    edge = Edge({"mary": always(SILENT)})
    with pytest.raises(Failure) as caught:
        afterwards(bench, edge, {"mary": mary})
    assert (codes(caught.value), caught.value.exit_code) == (["apply.successor-not-shown"], Exit.ERROR)
    assert afterwards(replace(bench, unproven=frozenset({HOST})), Edge(edge.answers), {"mary": mary}) is None


def test_a_ca_of_unknown_contents_may_have_let_anybody_in(bench: Bench, pki: Pki, mary: Identity) -> None:
    """Then no refusal shows that the old CA let go: the longest lag passes."""
    unknown = replace(ca("9", HOST), name="by hand", pem=None)
    edge = Edge({"jean": always(OUT), "mary": always(IN)})
    clouded = replace(bench, others=(unknown,))
    assert afterwards(clouded, edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED) is None
    assert edge.at >= LAG_S


def test_where_anybody_gets_in_nobody_shows_anything(bench: Bench, mary: Identity) -> None:
    """An open URL says nothing about trust."""
    edge = Edge({"mary": always(IN), BARE: always(IN)})
    with pytest.raises(Failure) as caught:
        replace(bench, policies=(ANYONE,)).rotation(edge, {"mary": mary}).before(
            replace(bench, policies=(ANYONE,)).boundary(0)
        )
    assert codes(caught.value) == ["apply.successor-not-shown"]


def test_one_client_that_shows_nothing_is_not_covered_by_another_that_gets_in(
    bench: Bench, pki: Pki, mary: Identity
) -> None:
    """A client of a third CA makes the refusal count; of the new CA nothing was seen all the same."""
    third = root("Third Root", now=NOW)
    kate = third.issue("kate", now=NOW)
    edge = Edge({"mary": always(SILENT), "kate": always(IN), BARE: always(OUT)})
    beside = replace(bench, others=(bench.trust("3", third, HOST),))
    with pytest.raises(Failure) as caught:
        beside.rotation(edge, {"mary": mary, "kate": kate}).before(beside.boundary(0))
    assert codes(caught.value) == ["apply.successor-not-shown"]


def test_whom_the_file_refuses_loses_nothing(bench: Bench, mary: Identity) -> None:
    """Its being out is what the file says."""
    assert afterwards(bench, Edge({"mary": always(OUT)}), {"mary": mary}, mary=Expected.REFUSED) is None


def test_where_no_certificate_is_needed_no_ca_matters(bench: Bench, mary: Identity) -> None:
    """Who is out at an open URL is not out because of a CA: that is the proof's matter afterwards."""
    assert afterwards(replace(bench, policies=(ANYONE,)), Edge({"mary": always(OUT)}), {"mary": mary}) is None


def test_at_the_deadline_nobody_waits_for_a_second_refusal(bench: Bench, mary: Identity) -> None:
    """Out in the last round and in again a second later: there was no second later."""
    edge = Edge({"mary": lambda at: OUT if LAG_S <= at < LAG_S + 1 else IN})
    assert afterwards(bench, edge, {"mary": mary}) is not None


def test_every_old_ca_of_a_host_must_be_shown_to_have_let_go(bench: Bench, pki: Pki, mary: Identity) -> None:
    """A client of one of two that leave says nothing of the other: the longest lag passes."""
    two = replace(bench, leaving=(bench.trust("5", root("Second Old", now=NOW), HOST),))
    edge = Edge({"jean": always(OUT), "mary": always(IN)})
    boundary = two.boundary(2)
    found = two.rotation(edge, {"jean": pki.jean, "mary": mary}, jean=Expected.REFUSED).after(boundary)
    assert (found, edge.at >= LAG_S) == (None, True)


# In its place


@pytest.mark.parametrize(
    ("done", "typed", "refused"), [(0, (), True), (0, (HOST,), False), (0, ("b.net",), True), (1, (), False)]
)
def test_without_a_key_to_prove_it_nothing_is_begun(
    bench: Bench, mary: Identity, done: int, typed: tuple[str, ...], refused: bool
) -> None:
    """A saved plan where its clients' keys are not: refused before any write, and nobody is asked."""
    edge = Edge({BARE: always(OUT)})
    away = replace(bench, unproven=frozenset(typed)).rotation(edge, {"mary": mary})
    away = replace(away, wallet=Wallet({}, tuple(replace(c, is_here=False) for c in away.wallet.clients)))
    settler = Settler(away.targets, away.wallet, edge, (), away.patience, away.now, edge.said.append, away)
    if not refused:
        settler.between(bench.boundary(done))
        return
    with pytest.raises(Failure) as caught:
        settler.between(bench.boundary(done))
    assert (codes(caught.value), caught.value.exit_code) == (["plan.unproven"], Exit.REFUSED)
    assert edge.asked == []
    assert "not opened: mary" in caught.value.diagnostics[0].detail


@pytest.mark.parametrize(("done", "moments"), [(0, [BARE, "mary"]), (1, ["mary"]), (2, [])])
def test_both_moments_come_in_every_run(bench: Bench, mary: Identity, done: int, moments: list[str]) -> None:
    """Before the first hostname leaves, and before any CA is deleted: also in a run that only deletes."""
    edge = Edge({"mary": always(IN), BARE: always(OUT)})
    run = bench.rotation(edge, {"mary": mary})
    settler = Settler(run.targets, run.wallet, edge, (), run.patience, run.now, edge.said.append, run)
    assert settler.between(bench.boundary(done)) is None
    assert sorted(set(edge.asked)) == sorted(moments)
