"""*Proven* is one function: what it needs, what it leaves open, and that nothing else makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import Control, Dossier, Evidence, Extent, Got, Outcome, Probe
from cf_mtls.model.people import Asker, Client, Expected, Target
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.report.proof_text import advice, sentence
from cf_mtls.verify import proofs
from cf_mtls.verify.claim import NO_CONTROL, Standing, claim
from cf_mtls.verify.expect import Party, expect, left_out
from cf_mtls.verify.judge import judge
from cf_mtls.verify.outlook import BY_WILDCARD
from tests.verify.test_expect import EVERYONE, VALID, policy, rule

KNOWN, FOREIGN = Address(Kind.CERTIFICATE, "aa"), Address(Kind.CERTIFICATE, "ff")
JEAN = Party(Client("jean", "c", "k"), Asker(frozenset({KNOWN}), frozenset({"jean"})))
ABSENT = Party(Client("jean", "c", "k", is_here=False), JEAN.asker)
STRANGER = Party(Client("ann", "c", "k"), Asker(common_names=frozenset({"ann"})))

CLOSED = policy("non_identity", VALID)
NAMED = policy("non_identity", VALID, require=(rule("common_name", common_name="jean"),))
OPEN = policy("bypass", EVERYONE)
NOBODY = policy("deny", EVERYONE)
LOGIN = policy("allow", EVERYONE)
TOKEN = policy("non_identity", rule("any_valid_service_token"))
ADDRESS = policy("non_identity", rule("ip", ip="192.0.2.0/24"))

RAY = ("cf-ray", "1-FAKE")
Edge = Callable[[Probe], Evidence]


def declared(shape: dict[str, AccessPolicy | None], *, unknown: bool = False) -> State:
    """A state with an application of one policy at each domain (None: none), and a CA on its host."""
    hosts = tuple(sorted({domain.partition("/")[0] for domain in shape}))
    apps = {
        Address(Kind.APPLICATION, domain): AccessApplication(domain, (public(domain),), (said,))
        for domain, said in shape.items()
        if said
    }
    cas = {KNOWN: CaCertificate("ca", hosts, ("aa",), (), "", "PEM")}
    if unknown:
        cas[FOREIGN] = CaCertificate("other", hosts, ("ff",), ())
    return State({**cas, **apps})


def right(probe: Probe) -> Evidence:
    """What an edge answers that does what is declared, and names the application."""
    named = (
        ("cf-access-aud", f"tag of {sorted(probe.ours)}"),
        ("cf-access-domain", min(probe.ours, default="")),
    )
    match probe.expected:
        case Expected.ALLOWED | Expected.UNDECLARED | Expected.UNFORESEEN:
            return Evidence(200, "HTTP/2", (RAY,), session_of=named[0][1] if probe.client else "")
        case Expected.LOGIN:
            return Evidence(302, "HTTP/2", (RAY, *named, ("location", "/cdn-cgi/access/login/x")))
        case _:
            return Evidence(403, "HTTP/2", (RAY, *named))


def unnamed(probe: Probe) -> Evidence:
    """The same by an edge that names only the hostname, and opens no session."""
    seen = right(probe)
    headers = tuple((k, probe.host if k == "cf-access-domain" else v) for k, v in seen.headers)
    return replace(seen, headers=headers, session_of="")


def dead(_: Probe) -> Evidence:
    return Evidence(522, "HTTP/2", (RAY,))


def gone(_: Probe) -> Evidence:
    return Evidence(failure=Got.UNREACHABLE, detail="no route")


def open_to_all(probe: Probe) -> Evidence:
    return Evidence(200, "HTTP/2", (RAY,))


def refuses_all(probe: Probe) -> Evidence:
    return right(replace(probe, expected=Expected.REFUSED))


def cannot_resume(probe: Probe) -> Evidence:
    return Evidence(failure=Got.UNTRIED) if probe.proof == proofs.RESUMPTION else right(probe)


def found(state: State, parties: list[Party], edge: Edge = right, *domains: str) -> Dossier:
    """What asking would find out: those who are not here are not asked."""
    urls = domains or tuple(a.key for a, _ in state.of(AccessApplication))
    probes = expect([Target(f"https://{d}", d) for d in urls], parties, state)
    absent = {p.client.name for p in parties if not p.client.is_here}
    untried = Evidence(failure=Got.UNTRIED, detail="its key is not here")
    seen = [(p, untried if p.shows in absent else edge(p)) for p in probes]
    return Dossier(judge(seen), notes=left_out(probes, proofs.ALL))


PROVEN, UNPROVEN, BROKEN = Standing.PROVEN, Standing.NOT_PROVEN, Standing.NOT_ENFORCED
ONE = "a.net/x"
ROWS: dict[str, tuple[dict[str, AccessPolicy | None], list[Party], Edge, Standing]] = {
    "a client gets in and nobody else": ({ONE: CLOSED}, [JEAN], right, PROVEN),
    "no client is declared": ({ONE: CLOSED}, [], right, UNPROVEN),
    "the declared client is not here": ({ONE: CLOSED}, [ABSENT], right, UNPROVEN),
    "one of two clients is not here": (
        {ONE: CLOSED},
        [JEAN, replace(ABSENT, client=replace(ABSENT.client, name="jo"))],
        right,
        UNPROVEN,
    ),
    "the only client may not enter": ({ONE: CLOSED}, [STRANGER], right, UNPROVEN),
    "everybody may enter": ({ONE: OPEN}, [], right, PROVEN),
    "everybody should, and nobody does": ({ONE: OPEN}, [], refuses_all, BROKEN),
    "a login stands there": ({ONE: LOGIN}, [], right, PROVEN),
    "nobody may enter, beside an open path": ({ONE: NOBODY}, [], right, PROVEN),
    "nobody may enter, and nothing answers": ({"a.net": NOBODY}, [], right, UNPROVEN),
    "nobody may enter on a host without any, a control elsewhere": (
        {"a.net": NOBODY, "b.net/x": CLOSED},
        [JEAN],
        right,
        PROVEN,
    ),
    "only tokens get in": ({ONE: TOKEN}, [JEAN], right, UNPROVEN),
    "only an address gets in": ({ONE: ADDRESS}, [JEAN], right, UNPROVEN),
    "only tokens get in, beside a door that is proven": (
        {ONE: TOKEN, "a.net/y": CLOSED},
        [JEAN],
        right,
        PROVEN,
    ),
    "tokens only, and it is open": ({ONE: TOKEN, "a.net/y": CLOSED}, [JEAN], open_to_all, BROKEN),
    "no application stands there": ({ONE: None}, [], right, PROVEN),
    "the origin is dead": ({ONE: CLOSED}, [JEAN], dead, UNPROVEN),
    "nobody answers": ({ONE: CLOSED}, [JEAN], gone, UNPROVEN),
    "the door is open": ({ONE: CLOSED}, [JEAN], open_to_all, BROKEN),
    "everybody is refused": ({ONE: CLOSED}, [JEAN], refuses_all, BROKEN),
    "an optional proof could not be tried": (
        {ONE: CLOSED, "b.net/x": CLOSED},
        [JEAN],
        cannot_resume,
        PROVEN,
    ),
    "the edge does not say which application answered": ({ONE: CLOSED}, [JEAN], unnamed, PROVEN),
    "one of two URLs has no client": ({ONE: CLOSED, "a.net/y": CLOSED}, [STRANGER], right, UNPROVEN),
}


@pytest.mark.parametrize(("shape", "parties", "edge", "standing"), ROWS.values(), ids=ROWS)
def test_what_may_be_said(
    shape: dict[str, AccessPolicy | None], parties: list[Party], edge: Edge, standing: Standing
) -> None:
    """One row a case; the exit code and the sentence follow, and *Proven* is in no other sentence."""
    seen = found(declared(shape), parties, edge, *shape)
    made = claim(seen)
    assert made.standing is standing, [(v.probe.who, v.outcome, v.why) for v in seen.verdicts]
    assert made.exit is {PROVEN: Exit.OK, UNPROVEN: Exit.ERROR, BROKEN: Exit.VERIFY_FAILED}[standing]
    assert sentence(seen).startswith("Proven") is (standing is PROVEN)
    assert bool(made.proven) or standing is not PROVEN


def test_nothing_is_not_proven() -> None:
    """No URL at all: nothing to prove, and not 0."""
    made = claim(Dossier(()))
    assert (made.standing, made.exit) == (Standing.NOTHING, Exit.ERROR)


def each(seen: Dossier, outcome: Outcome) -> Iterator[tuple[int, Dossier]]:
    """The same with each verdict in turn turned into another, by the number of its proof."""
    for index, one in enumerate(seen.verdicts):
        turned = (*seen.verdicts[:index], replace(one, outcome=outcome), *seen.verdicts[index + 1 :])
        yield one.probe.proof, replace(seen, verdicts=turned)


def test_every_required_answer_is_needed_and_every_failure_counts() -> None:
    """Turned one by one: a required one that cannot be told unproves, an optional one does not, any failure is 3."""
    shape: dict[str, AccessPolicy | None] = {ONE: CLOSED, "b.net/x": NAMED, "b.net/o": OPEN, "b.net/l": LOGIN}
    seen = found(declared(shape), [JEAN], right, *shape)
    assert claim(seen).standing is PROVEN
    for number, turned in each(seen, Outcome.INCONCLUSIVE):
        assert claim(turned).standing is (UNPROVEN if number in proofs.REQUIRED else PROVEN)
    for _, turned in each(seen, Outcome.FAIL):
        assert claim(turned).standing is BROKEN
    for index, one in enumerate(seen.verdicts):
        left = replace(seen, verdicts=(*seen.verdicts[:index], *seen.verdicts[index + 1 :]))
        is_needed = one.probe.proof == proofs.NO_CERTIFICATE or (
            one.probe.proof == proofs.CLIENT and one.probe.target.url in {f"https://{ONE}", "https://b.net/x"}
        )
        assert claim(left).standing is (UNPROVEN if is_needed else PROVEN)


def test_a_door_without_clients_says_which_two_lines_make_it_provable() -> None:
    """They are lines of a plan file, and with the client they name it is proven."""
    seen = found(declared({ONE: CLOSED}), [])
    assert [gap.why for gap in claim(seen).gaps if gap.verdict is None] == [NO_CONTROL]
    assert advice(seen).splitlines()[1:] == [
        "    clients:",
        "      NAME: {certificate: client.pem, key: client.key}",
    ]
    assert advice(found(declared({ONE: CLOSED}), [JEAN])) == ""


def test_what_only_tokens_reach_is_never_called_proven() -> None:
    """It is counted apart: *Proven at 1 of 2 URLs*."""
    seen = found(declared({ONE: TOKEN, "a.net/y": CLOSED}), [JEAN])
    made = claim(seen)
    assert (made.proven, made.elsewhere, made.gaps) == (("https://a.net/y",), (f"https://{ONE}",), ())
    assert sentence(seen).startswith("Proven at 1 of 2 URLs: what the file declares")
    assert "1 URL declared, not provable here" in sentence(seen)


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (right, "Proven: what the file declares is what is enforced"),
        (
            unnamed,
            "Proven for the clients asked: what the file declares is what is enforced; which application",
        ),
    ],
)
def test_where_the_edge_does_not_say_who_answered_the_claim_is_smaller(edge: Edge, said: str) -> None:
    """As declared for the clients asked, in so many words."""
    assert sentence(found(declared({ONE: CLOSED}), [JEAN], edge)).startswith(said)


def test_a_run_that_looked_at_other_urls_does_not_speak_for_the_file() -> None:
    """What it could affect is what it says."""
    seen = replace(found(declared({ONE: CLOSED}), [JEAN]), extent=Extent.RUN)
    assert "the file declares" not in sentence(seen)
    assert sentence(seen).startswith("Proven: what this run could affect, 1 URL,")


def test_where_a_proof_failed_is_not_among_what_is_proven() -> None:
    """Of two URLs of which one is open to all, the other alone."""
    ajar = found(
        declared({ONE: CLOSED, "a.net/y": CLOSED}),
        [JEAN],
        lambda probe: open_to_all(probe) if probe.target.url.endswith(ONE) else right(probe),
    )
    made = claim(ajar)
    assert (made.failed, made.proven) == ((f"https://{ONE}",), ("https://a.net/y",))


@pytest.mark.parametrize("edge", [open_to_all, refuses_all, right, dead])
def test_unknown_trust_makes_cannot_be_told_and_never_a_failure(edge: Edge) -> None:
    """A CA of unknown contents stands there: its client may get in or not; somebody without a certificate may not."""
    state = declared({ONE: CLOSED}, unknown=True)
    verdicts = {v.probe.who: v for v in found(state, [STRANGER], edge).verdicts if v.probe.proof <= 2}
    assert verdicts["ann"].outcome is Outcome.INCONCLUSIVE
    assert "contents are not known" in verdicts["ann"].why
    assert (verdicts["no certificate"].outcome is Outcome.FAIL) is (edge is open_to_all)


@pytest.mark.parametrize("edge", [open_to_all, refuses_all, right, dead])
@pytest.mark.parametrize("also", [(), ("a.net",)])
def test_a_ca_on_a_wildcard_makes_cannot_be_told_and_never_a_failure(
    edge: Edge, also: tuple[str, ...]
) -> None:
    """Whether it counts at a host that it has by the wildcard alone is not known; somebody with none is refused."""
    state = declared({ONE: CLOSED}).put(KNOWN, CaCertificate("ca", ("*.net", *also), ("aa",), (), "", "PEM"))
    seen = found(state, [JEAN], edge)
    verdicts = {v.probe.who: v for v in seen.verdicts if v.probe.proof <= 2}
    if also:  # it has the host by its name too: that counts
        assert (verdicts["jean"].outcome is Outcome.PASS) is (edge in {open_to_all, right})
        return
    assert verdicts["jean"].outcome is Outcome.INCONCLUSIVE
    assert verdicts["jean"].probe.unsure == BY_WILDCARD
    assert verdicts["jean"].probe.control is Control.CLIENT
    assert (verdicts["no certificate"].outcome is Outcome.FAIL) is (edge is open_to_all)
    assert claim(seen).standing is not PROVEN


def test_known_trust_beside_unknown_is_still_demanded() -> None:
    """Whom a known CA vouches for gets in either way."""
    state = declared({ONE: CLOSED}, unknown=True)
    assert claim(found(state, [JEAN])).standing is PROVEN
    assert claim(found(state, [JEAN], refuses_all)).standing is BROKEN


def test_a_host_that_nobody_reached_is_named() -> None:
    """Not *could not be told* alone: which host was not reached."""
    seen = found(declared({ONE: CLOSED}), [JEAN], gone)
    assert claim(seen).unreached == ("a.net",)
    assert sentence(seen).startswith("Not proven: not reached: a.net")


def test_a_client_that_gets_in_where_only_tokens_should_is_told_like_any_other() -> None:
    """The file demands it and the edge does it: that URL was looked at, whatever the policies say."""
    demanded = replace(JEAN, client=replace(JEAN.client, expect=Expected.ALLOWED))
    made = claim(found(declared({ONE: TOKEN}), [demanded]))
    assert (made.elsewhere, made.proven) == ((), (f"https://{ONE}",))
    alone = claim(found(declared({ONE: TOKEN}), []))
    assert (alone.elsewhere, alone.proven) == ((f"https://{ONE}",), ())


def test_a_client_that_must_get_in_and_was_not_seen_does_not_count_as_in() -> None:
    """Where only tokens should: nobody was seen, so that URL stays declared and not provable here."""
    demanded = replace(JEAN, client=replace(JEAN.client, expect=Expected.ALLOWED))
    made = claim(found(declared({ONE: TOKEN}), [demanded], gone))
    assert (made.elsewhere, made.proven) == ((f"https://{ONE}",), ())


def test_a_refused_client_names_nobody_who_lets_in() -> None:
    """The edge named itself in refusals alone: who admitted jean was not said."""

    def no_session(probe: Probe) -> Evidence:
        return replace(right(probe), session_of="")

    made = claim(found(declared({ONE: CLOSED}), [JEAN, STRANGER], no_session))
    assert made.unnamed == (f"https://{ONE}",)


def test_each_witness_must_have_asked_what_is_required() -> None:
    """What one of them saw does not stand in for another."""
    seen = found(declared({ONE: CLOSED}), [JEAN])
    other = [replace(v, evidence=replace(v.evidence, witness="curl")) for v in seen.verdicts]
    assert claim(replace(seen, verdicts=(*seen.verdicts, *other))).standing is PROVEN
    half = [v for v in other if v.probe.proof != proofs.CLIENT]
    assert claim(replace(seen, verdicts=(*seen.verdicts, *half))).standing is UNPROVEN


def test_where_anybody_may_enter_it_does_not_matter_who_lets_in() -> None:
    """An open URL is proven without the application's name, and so is one where a refusal was named."""
    assert claim(found(declared({ONE: OPEN}), [], unnamed)).unnamed == ()
    assert claim(found(declared({ONE: CLOSED}), [JEAN], right)).unnamed == ()


def test_a_refusal_must_be_named_too() -> None:
    """An admission whose application is known says nothing of who refused."""
    seen = found(declared({ONE: CLOSED}), [JEAN])
    named = [replace(v, is_named=v.got is Got.ORIGIN) for v in seen.verdicts]
    assert claim(replace(seen, verdicts=tuple(named))).unnamed == (f"https://{ONE}",)


def test_a_host_that_nobody_tried_is_not_called_unreached() -> None:
    """Nobody was sent there: whether it answers is not known."""
    tried = Evidence(failure=Got.UNTRIED, detail="not sent")
    assert claim(found(declared({ONE: CLOSED}), [JEAN], lambda _: tried)).unreached == ()
    assert claim(found(declared({ONE: CLOSED}), [JEAN], gone)).unreached == ("a.net",)
