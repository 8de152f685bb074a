"""Who is out after whole plans, in every way that the edge may judge it; the rules one by one: `test_lockouts`."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from random import Random

import pytest

from cf_mtls.emulator.verdict import judge
from cf_mtls.model.people import Expected
from cf_mtls.model.plan import Allowed
from cf_mtls.model.resources import AccessPolicy
from cf_mtls.model.state import State
from cf_mtls.pki.pem import Chain
from cf_mtls.workflow import planned
from tests.conftest import Counted
from tests.planning.things import ANYONE, HOLDERS, app, policy, rule
from tests.planning.trust import (
    JEAN,
    LEFT,
    MARY,
    NEW,
    NOW,
    OF_ONE,
    OF_TWO,
    OLD,
    ONE,
    SCOPE,
    TOP,
    TWO,
    Ca,
    File,
    Who,
    bundle,
    flags,
    found,
    sending,
    there,
)
from tests.planning.worlds import BUDGET

A, R = Expected.ALLOWED, Expected.REFUSED
URL = "https://a.net/"
LOCKS, IMPOSSIBLE, ALREADY = "plan.locks-out", "plan.expect-impossible", "plan.already-out"
ABOUT_CLIENTS = (LOCKS, IMPOSSIBLE, ALREADY)
FOR_JEAN = f"--allow-lockout jean@{URL}"
UNPROVEN = Allowed(unproven=frozenset({"a.net", "b.net"}))
NAMED = policy("non_identity", HOLDERS.include[0], require=(rule("common_name", common_name="mary"),))


def rotated(**clients: Who) -> File:
    """From the old CA to the new one."""
    return File((Ca(bundle(NEW)),), (app("a.net"),), clients)


BEFORE = there(Ca(bundle(OLD)), a=app("a.net"))


@pytest.mark.parametrize(
    ("expect", "code", "flag"),
    [
        (A, [IMPOSSIBLE], [""]),
        (((URL, A),), [IMPOSSIBLE], [""]),
        (None, [LOCKS], [FOR_JEAN]),
        ((("https://b.net/", A),), [LOCKS], [FOR_JEAN]),
        (R, [], []),
        (((URL, R),), [], []),
    ],
)
def test_a_client_that_loses_its_ca_is_told_by_what_is_expected_of_it(
    expect: object, code: list[str], flag: list[str]
) -> None:
    """Allowed: no flag helps. Nothing said there: its own flag. Refused: nothing is lost."""
    file = rotated(jean=Who(JEAN, expect), mary=Who(MARY, A))  # type: ignore[arg-type]
    made = file.plan(BEFORE)
    assert [c for c, _ in found(made, *ABOUT_CLIENTS)] == code
    assert flags(made) == flag
    if code:
        assert "afterwards: no policy matches" in found(made, *code)[0][1]


@pytest.mark.parametrize(
    ("typed", "is_refused"),
    [
        ((), True),
        (("a.net",), True),
        (("jean",), True),
        (("jean@a.net",), True),
        (("mary@https://a.net/",), True),
        (("jean@https://a.net",), True),
        (("jean@https://b.net/",), True),
        ((f"jean@{URL}",), False),
    ],
)
def test_a_lasting_loss_is_allowed_by_its_own_words_and_no_others(
    typed: tuple[str, ...], is_refused: bool
) -> None:
    """A hostname means a moment; the client and the URL mean for good."""
    file = rotated(jean=Who(JEAN), mary=Who(MARY, A))
    made = file.plan(BEFORE, Allowed(lockout=frozenset(typed)))
    assert bool(found(made, LOCKS)) is is_refused


def test_no_flag_allows_what_the_file_itself_forbids() -> None:
    """`expect: allowed` and a plan that makes it impossible cannot both be meant."""
    file = rotated(jean=Who(JEAN, A), mary=Who(MARY, A))
    typed = frozenset({f"jean@{URL}", "a.net"})
    assert [c for c, _ in found(file.plan(BEFORE, Allowed(lockout=typed)), *ABOUT_CLIENTS)] == [IMPOSSIBLE]


def test_with_two_clients_each_is_judged_by_its_own_file() -> None:
    """The one that moved is fine; the one that did not is named, and no other."""
    both = File((Ca(bundle(NEW)), Ca(bundle(OLD), ("b.net",), "other")), (app("a.net"), app("b.net")))
    both.clients = {"jean": Who(JEAN), "mary": Who(MARY, A)}
    both.urls = (URL, "https://b.net/")
    actual = there(Ca(bundle(OLD), ("a.net", "b.net"), "other"), a=app("a.net"), b=app("b.net"))
    assert flags(both.plan(actual, UNPROVEN)) == [FOR_JEAN]
    assert [c for c, _ in found(both.plan(actual, UNPROVEN), *ABOUT_CLIENTS)] == [LOCKS, ALREADY]


@pytest.mark.parametrize(
    ("who", "before", "after", "codes"),
    [
        (Who(LEFT, A), HOLDERS, HOLDERS, [ALREADY]),
        (Who(LEFT, A), ANYONE, HOLDERS, [ALREADY]),
        (Who(MARY, A), HOLDERS, HOLDERS, [ALREADY]),
        (Who(MARY, A), ANYONE, HOLDERS, [IMPOSSIBLE]),
        (Who(MARY), ANYONE, HOLDERS, [LOCKS]),
        (Who(MARY, R), ANYONE, HOLDERS, []),
        (Who(LEFT, R), ANYONE, HOLDERS, []),
        (Who(MARY), HOLDERS, HOLDERS, []),
        (Who(JEAN, A), ANYONE, HOLDERS, []),
        (Who(JEAN, A), HOLDERS, NAMED, [IMPOSSIBLE]),
        (Who(JEAN), HOLDERS, NAMED, [LOCKS]),
        (Who(JEAN, A), NAMED, NAMED, [ALREADY]),
        (Who(JEAN, A), HOLDERS, ANYONE, []),
    ],
)
def test_what_was_so_already_blocks_nothing(
    who: Who, before: AccessPolicy, after: AccessPolicy, codes: list[str]
) -> None:
    """An incident is mended whoever has expired or never got in; what the plan itself makes impossible is refused.

    Who was let in only because anybody was, and is declared refused, loses nothing.
    """
    name = "jean"
    file = File((Ca(bundle(OLD)),), (app("a.net", after),), {name: who})
    actual = there(Ca(bundle(OLD)), a=app("a.net", before))
    made = file.plan(actual, Allowed(weaken=frozenset({URL})))
    assert [c for c, _ in found(made, *ABOUT_CLIENTS)] == codes
    assert any(d.is_error for d in made.diagnostics) is any(c in {LOCKS, IMPOSSIBLE} for c in codes)


def test_whose_ca_nobody_knows_may_have_got_in_and_is_not_given_up_in_silence() -> None:
    """A CA of unknown contents goes: whoever it may have let in may lose it. One that stays takes nothing away."""
    foreign = Ca(bundle(NEW), stack=None)
    file = File((Ca(bundle(OLD)),), (app("a.net"),), {"mary": Who(MARY)}, beside=())
    gone = Ca(bundle(NEW), entry="gone")
    made = file.plan(there(Ca(bundle(OLD)), gone, a=app("a.net")))
    assert [c for c, _ in found(made, *ABOUT_CLIENTS)] == [LOCKS]
    assert not found(file.plan(there(Ca(bundle(OLD)), foreign, a=app("a.net"))), *ABOUT_CLIENTS)


@pytest.mark.parametrize(
    ("who", "expect", "codes"),
    [
        (OF_ONE, A, [IMPOSSIBLE]),
        (OF_ONE, None, [LOCKS]),
        (sending(OF_ONE, ONE), A, [LOCKS]),
        (sending(OF_ONE, ONE), None, [LOCKS]),
        (OF_TWO, A, []),
        (sending(OF_TWO, TWO), A, []),
    ],
)
def test_an_issuing_ca_that_is_taken_out_takes_its_clients_with_it(
    who: object, expect: Expected | None, codes: list[str]
) -> None:
    """Whether the edge uses the issuer that a client sends is not known: both are tried, and the worse one counts."""
    file = File((Ca(bundle(TWO, TOP)),), (app("a.net"),), {"jean": Who(who, expect)})  # type: ignore[arg-type]
    made = file.plan(there(Ca(bundle(ONE, TWO, TOP)), a=app("a.net")), UNPROVEN)
    said = found(made, *ABOUT_CLIENTS)
    assert [c for c, _ in said] == codes
    if expect is A and codes == [LOCKS]:
        assert "worst of what is possible" in said[0][1]


def test_a_client_that_cannot_be_read_is_said_and_blocks_nothing() -> None:
    """Its file is elsewhere or needs a passphrase: not judged, in words, whenever something changes."""
    file = rotated(locked=Who(None, A), mary=Who(MARY, A))
    made = file.plan(BEFORE)
    assert [c for c, _ in found(made, "plan.client-not-judged")] == ["plan.client-not-judged"]
    assert not any(d.is_error for d in made.diagnostics)
    still = there(Ca(bundle(NEW)), a=app("a.net"))
    assert not found(file.plan(still), "plan.client-not-judged")


def test_at_the_end_of_a_stack_nothing_is_expected_of_anybody() -> None:
    """`--destroy` judges nobody: everybody is let in where nothing stands."""
    typed = Allowed(delete=9, weaken=frozenset({URL}))
    made = planned("s", SCOPE, State(), BEFORE, typed)
    assert not any(d.is_error for d in made.diagnostics)


def test_every_loss_in_every_case_is_refused_and_nothing_else(counted: Counted) -> None:
    """Random bundles before and after, ours, foreign, known and not: against the emulator's own judge of chains."""
    lost = kept = 0
    for seed in range(150 * BUDGET):
        lost, kept = (a + b for a, b in zip((lost, kept), _one(Random(seed), seed), strict=True))
    counted(f"{lost} losses refused, {kept} clients that lose nothing, over {150 * BUDGET} plans")
    assert lost > 20
    assert kept > 100


BUNDLES = [bundle(*b) for b in ((OLD,), (NEW,), (ONE, TOP), (TWO, TOP), (ONE, TWO, TOP), (TOP,))]
PEOPLE = {
    "jean": JEAN, "mary": MARY, "left": LEFT, "one": OF_ONE, "two": OF_TWO,
    "one-sends": sending(OF_ONE, ONE), "two-sends": sending(OF_TWO, TWO),
}  # fmt: skip


def _one(random: Random, seed: int) -> tuple[int, int]:
    """One random change of trust and policy; how many clients lose something and how many do not."""
    before, after = (random.sample(BUNDLES, random.randint(0, 2)) for _ in range(2))
    foreign = random.sample([b for b in BUNDLES if b not in before], random.choice((0, 0, 1)))
    known = random.sample(BUNDLES, random.randint(0, len(BUNDLES)))
    old, new = (random.choice(((HOLDERS,), (HOLDERS,), (NAMED,), (ANYONE,))) for _ in range(2))
    expects = {n: random.choice((None, None, A, R)) for n in PEOPLE}
    cas = (*(Ca(b) for b in before), *(Ca(b, stack=None) for b in foreign))
    actual = there(*cas, a=app("a.net", *old))
    clients = {n: Who(i, expects[n]) for n, i in PEOPLE.items()}
    file = File(tuple(map(Ca, after)), (app("a.net", *new),), clients, beside=tuple(known))
    made = file.plan(actual, replace(UNPROVEN, weaken=frozenset({URL}), adopt=frozenset()))
    said = {
        (d.detail.partition(" ")[0], d.code.code) for d in made.diagnostics if d.code.code in ABOUT_CLIENTS
    }
    if any(d.code.code == "ownership.foreign" for d in made.diagnostics):
        return 0, 0
    losses = 0
    for name in PEOPLE:
        out, loss = _oracle(name, (before, foreign, after, known), old[0], new[0])
        want = None
        if expects[name] is A and out:
            want = IMPOSSIBLE if loss and name != "left" else ALREADY
        elif expects[name] is not R and loss:
            want = LOCKS
        assert {c for n, c in said if n == name} == ({want} if want else set()), (seed, name)
        losses += want in {LOCKS, IMPOSSIBLE}
    return losses, len(PEOPLE) - losses


def _oracle(
    name: str, trust: tuple[list[Chain], ...], old: AccessPolicy, new: AccessPolicy
) -> tuple[bool, bool]:
    """Whether a client is out afterwards in all cases, and whether it loses something in any."""
    before, foreign, after, known = trust
    in_hand = [*after, *known]
    dark = [b for b in before if b not in in_hand] + foreign
    cases = []
    for sent in (True, False):
        for bright in chain.from_iterable(combinations(dark, n) for n in range(len(dark) + 1)):
            accepts = [b for b in (*before, *after) if b in in_hand and _accepts(b, name, sent)] + [*bright]
            sides = (([*before, *foreign], old), ([*after, *foreign], new))
            cases.append([_in(name, p, any(b in accepts for b in cas)) for cas, p in sides])
    return not any(then for _, then in cases), any(now and not then for now, then in cases)


def _accepts(found: Chain, name: str, sent: bool) -> bool:
    identity = PEOPLE[name]
    ders = [c.der for c in found.certificates]
    along = [c.der for c in identity.sent] if sent else []
    return judge(ders, identity.certificate.der, along, NOW.timestamp()).ok


def _in(name: str, by: AccessPolicy, is_valid: bool) -> bool:
    if by is ANYONE:
        return True
    return is_valid and (by is not NAMED or PEOPLE[name].certificate.common_names == ("mary",))
