"""Every claim of docs/claims.md: made in one place, printed when it is so, and not when any input makes it false."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, replace
from importlib import import_module
from pathlib import Path

import pytest

from cf_mtls.cli import validate
from cf_mtls.declare.clients import CLIENT_ABSENT, KEY_ABSENT, NOT_CHECKED
from cf_mtls.declare.resolve import Stack
from cf_mtls.diagnostics import Diagnostic, Place
from cf_mtls.model.asked import EMULATOR_HEADER, NOBODY, of_api
from cf_mtls.model.coverage import Coverage, Incomplete, Part, Whole, seen
from cf_mtls.model.doors import Decision, Door, Doorway, Outcome, Reach
from cf_mtls.model.evidence import Dossier
from cf_mtls.model.people import Target
from cf_mtls.model.plan import Action, Change, Plan, Promise
from cf_mtls.model.resources import Scope
from cf_mtls.model.state import State
from cf_mtls.planning.contents import RECORDED
from cf_mtls.planning.drift import ALARMING, Checked, Class, Clean, Finding, worst
from cf_mtls.planning.ownership import COLLISION
from cf_mtls.remote.findings import Finding as Looked
from cf_mtls.remote.findings import Grade
from cf_mtls.report import doctor_text, plan_text, proof_text
from cf_mtls.report.door_text import door_table
from cf_mtls.report.terminal import Paint
from cf_mtls.verify import proofs
from cf_mtls.verify.claim import Proven
from cf_mtls.verify.expect import expect
from cf_mtls.verify.judge import judge
from tests.planning.things import app, app_at, ca_at
from tests.verify.test_claim import CLOSED, JEAN, STRANGER, declared, right

ROOT = Path(__file__).parent.parent
PAINT = Paint(enabled=False)

# The table

ROW = re.compile(r"^\| (?P<claim>[^|]+) \| `(?P<maker>[\w.]+:[\w.]+)` \|", re.MULTILINE)
TABLE = {m["claim"]: m["maker"] for m in ROW.finditer((ROOT / "docs/claims.md").read_text("utf-8"))}

# What makes each true, and what makes it false

READ = seen(Part)
"""Everything that a claim rests on was read."""

INCOMPLETE: dict[str, Coverage] = {
    "nothing was looked at": Coverage(),
    "nothing rests on what was read": Coverage(read=frozenset(Part)),
    **{f"{part} not read": replace(READ, unread={part: ()}) for part in Part},
    **{
        f"{part} not asked for": replace(READ, read=READ.read - {part}, not_asked=frozenset({part}))
        for part in Part
    },
    "one group not listed": READ.resting_on(["group x"], {}),
}
"""Every way in which something may be missing."""

PLAN = Plan("s", Scope("account", "a"), State(), State(), (), (), coverage=READ)
CHANGE = Change(app_at("a.net"), Action.CREATE, None, app("a.net"), ("name",))
NOTE = RECORDED.found("recorded")


def no_changes() -> Iterator[tuple[str, str]]:
    yield "", plan_text.verdict(PLAN)
    yield "a change", plan_text.verdict(replace(PLAN, changes=(CHANGE,)))
    yield "a refusal", plan_text.verdict(replace(PLAN, diagnostics=(COLLISION.found("there"),)))
    yield "left out", plan_text.verdict(replace(PLAN, left_out=(app_at("a.net"),)))
    for why, coverage in INCOMPLETE.items():
        yield why, plan_text.verdict(replace(PLAN, coverage=coverage))


def partial() -> Iterator[tuple[str, str]]:
    yield "", plan_text.verdict(replace(PLAN, left_out=(app_at("a.net"),)))
    yield "nothing left out", plan_text.verdict(PLAN)
    yield "a whole plan with changes", plan_text.verdict(replace(PLAN, changes=(CHANGE,)))


def at_most_once() -> Iterator[tuple[str, str]]:
    yield "", str(Promise(10, 4))
    yield "not kept", str(Promise(10, 4, is_kept=False))
    yield "not kept where it may be shut", str(Promise(10, 4, is_kept=False, shut=("a.net",)))
    yield "nothing watched", str(Promise(0, 4))


REFUSED = Decision(Outcome.REFUSED)
DOOR = Door("a.net", "/", Reach.HOLDERS, frozenset({ca_at("1")}), None, frozenset(), False, REFUSED)
OTHERWISE: Mapping[str, object] = {
    "reach": Reach.NOBODY,
    "certificates": frozenset({ca_at("1"), ca_at("2")}),
    "common_names": frozenset({"fleet"}),
    "credentials": frozenset({"login"}),
    "needs_login": True,
}


def unchanged() -> Iterator[tuple[str, str]]:
    yield "", _doors(DOOR, DOOR)
    for name, value in OTHERWISE.items():
        yield f"{name} afterwards", _doors(DOOR, replace(DOOR, **{name: value}))
        yield f"{name} before", _doors(replace(DOOR, **{name: value}), DOOR)


def _doors(before: Door, after: Door) -> str:
    return door_table([Doorway("https://a.net/", before, after)], State(), State(), PAINT)


CHECKED = Checked("f", "s", "account:1", coverage=READ)


def clean() -> Iterator[tuple[str, str]]:
    yield "", CHECKED.status
    for kind in (*ALARMING, Class.UNCHECKED):
        yield kind, replace(CHECKED, findings=(Finding(kind, "x", "says", "e"),)).status
    for kind in Class:
        yield (
            f"urgent {kind}",
            replace(CHECKED, findings=(Finding(kind, "x", "says", "e", urgent=True),)).status,
        )
    for why, coverage in INCOMPLETE.items():
        yield why, replace(CHECKED, coverage=coverage).status
    yield "nothing was checked", worst(())


def proven() -> Iterator[tuple[str, str]]:
    shape = {"a.net/x": CLOSED, "b.net/y": CLOSED}
    state = declared(shape)
    targets = [Target(f"https://{domain}", domain) for domain in shape]
    whole, stranger = expect(targets, [JEAN], state), expect(targets, [STRANGER], state)
    yield "", _sentence((p, right(p)) for p in whole)
    yield "nothing was asked", _sentence(())
    yield "no client gets in", _sentence((p, right(p)) for p in stranger)
    for url in {p.target.url for p in whole}:
        for number in (proofs.NO_CERTIFICATE, proofs.CLIENT):
            left = [p for p in whole if (p.target.url, p.proof) != (url, number)]
            yield f"proof {number} left out at {url}", _sentence((p, right(p)) for p in left)
    for (
        wrong
    ) in whole:  # each request by itself is answered by an open origin, or by nobody in the name of the edge
        answered = replace(right(wrong), status=200, headers=(("cf-ray", "1-FAKE"),))
        if right(wrong).status != 200:
            yield (
                f"open: {wrong.url} {wrong.who}",
                _sentence((p, answered if p is wrong else right(p)) for p in whole),
            )
        if wrong.proof in {proofs.NO_CERTIFICATE, proofs.CLIENT}:
            bare = replace(right(wrong), headers=())
            yield (
                f"no edge: {wrong.url} {wrong.who}",
                _sentence((p, bare if p is wrong else right(p)) for p in whole),
            )


def _sentence(pairs: object) -> str:
    return proof_text.sentence(Dossier(judge(pairs)))  # type: ignore[arg-type]


STACK = Stack("s", None, None, State(), {}, (), (), (), {})


def emulator() -> Iterator[tuple[str, str]]:
    mark = ((EMULATOR_HEADER, "1"),)
    local, real = (
        of_api("http://127.0.0.1:8443/client/v4", emulated=False),
        of_api("https://x.net", emulated=False),
    )
    probes = expect([Target("https://a.net/x", "a.net/x")], [JEAN], declared({"a.net/x": CLOSED}))
    yield "", str(of_api("https://api.cloudflare.com/client/v4", emulated=True))
    yield "an address of this machine", str(local)
    yield "nobody was asked", str(NOBODY)
    yield "an edge that nobody reached", str(Dossier((), asked=real).whom)
    from_origin = [
        (p, replace(right(p), headers=(*right(p).headers, *mark)) if right(p).status == 200 else right(p))
        for p in probes
    ]
    yield "an origin that says so behind the real edge", str(Dossier(judge(from_origin), asked=real).whom)


def valid() -> Iterator[tuple[str, str]]:
    yield "", validate.verdict("f.yaml", STACK)
    for code in (CLIENT_ABSENT, KEY_ABSENT, NOT_CHECKED):
        said: Diagnostic = code.found("not here", place=Place("f.yaml", 3, 1))
        yield code.code, validate.verdict("f.yaml", replace(STACK, diagnostics=(said,)))


def nothing_in_the_way() -> Iterator[tuple[str, str]]:
    well = Looked("token.status", Grade.OK, "it is active")
    yield "", doctor_text.verdict([well])
    yield "nothing looked at", doctor_text.verdict([])
    for grade in (Grade.FAIL, Grade.UNTOLD):
        yield grade.value, doctor_text.verdict([well, Looked("host.zone", grade, "x")])


PURE: dict[str, tuple[str, Callable[[], Iterator[tuple[str, str]]]]] = {
    "No changes": (r"^No changes\.", no_changes),
    "Partial": (r"Partial", partial),
    "every outcome changes at most once": (r"every outcome changes at most once", at_most_once),
    "unchanged": (r"unchanged", unchanged),
    "clean": (r"^clean$", clean),
    "Proven": (r"^Proven", proven),
    "EMULATOR: not Cloudflare": (r"EMULATOR", emulator),
    "is valid": (r"is valid:", valid),
    "Nothing stands in the way": (r"^Nothing stands in the way", nothing_in_the_way),
}
"""Claim to how it reads when nothing is left open, and its inputs: the first makes it true, each other one false."""

ASKED = {"accepted under"}
"""Claims that only the program itself can be asked for."""


def test_the_table_and_these_cases_are_of_the_same_claims() -> None:
    """A new claim needs a row and its cases."""
    assert set(TABLE) == set(PURE) | ASKED


@pytest.mark.parametrize("claim", PURE)
def test_a_claim_is_made_when_it_is_so_and_never_otherwise(claim: str) -> None:
    """One true input; every other one makes it false, and then it is not printed."""
    pattern, cases = PURE[claim]
    (_, true), *others = cases()
    assert re.search(pattern, true), true
    assert len(others) > 1
    for why, said in others:
        assert not re.search(pattern, said), (why, said)


def test_what_is_not_decided_stands_beside_the_claim() -> None:
    """Exceptions are part of the sentence, not of another one."""
    doubtful = plan_text.verdict(replace(PLAN, diagnostics=(NOTE,)))
    assert re.search(r"^No changes\..* declares it; what 1 CA holds is not proven\.$", doubtful), doubtful
    shut = str(Promise(10, 4, shut=("a.net",)))
    assert shut.endswith("at most once, but on a.net: shut for a moment, as allowed"), shut
    assert "not told: host.zone" in doctor_text.verdict([Looked("host.zone", Grade.UNTOLD, "x")])


def test_every_member_that_says_who_gets_in_counts_for_unchanged() -> None:
    """A member added to `Door` must be among those that are compared, or be where or why."""
    assert {f.name for f in fields(Door)} == {*OTHERWISE, "host", "path", "decided"}


def test_accepted_is_the_verdict_of_a_chain_and_not_said_where_it_refuses(tmp_path: Path) -> None:
    """The certificate is judged under the chain file that the sentence names; one without its root lets nobody in."""

    def pki(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cf_mtls", "pki", *words]
        env = {"SECRET": "long enough for a test", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert pki("ca", "p", "--passphrase-env", "SECRET").returncode == 0
    good = pki("issue", "jean", "--passphrase-env", "SECRET")
    assert "accepted under pki/chain.pem" in good.stdout + good.stderr
    chain = tmp_path / "pki/chain.pem"
    blocks = chain.read_text().split("-----END CERTIFICATE-----\n")[:-1]
    for kept in blocks:  # each certificate of the chain alone
        chain.write_text(f"{kept}-----END CERTIFICATE-----\n")
        bad = pki("issue", "ann", "--passphrase-env", "SECRET")
        assert "accepted under" not in bad.stdout + bad.stderr, kept
        assert bad.returncode


# None without everything that it rests on

CLAIMS: dict[str, Callable[[Whole], object]] = {
    "No changes": lambda whole: plan_text.NoChanges(PLAN, whole),
    "clean": lambda whole: Clean((), ALARMING, whole),
    "Proven": lambda whole: Proven(tuple(sorted(whole.coverage.read)), whole),
    "Nothing stands in the way": lambda whole: doctor_text.NothingInTheWay(WELL, whole),
}
"""The claims that rest on what was read, each made of that."""

WELL = tuple(Looked(part, Grade.OK, "it is") for part in Part)
ILL = (*WELL, Looked("x", Grade.FAIL, "no"))


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("why", INCOMPLETE)
def test_a_claim_cannot_be_constructed_while_something_that_it_rests_on_was_not_read(
    claim: str, why: str
) -> None:
    """Of a whole coverage it can; of another one there is not even what it is made of."""
    assert CLAIMS[claim](Whole(READ))
    assert INCOMPLETE[why].whole() is None
    with pytest.raises(Incomplete):
        CLAIMS[claim](Whole(INCOMPLETE[why]))


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_type_checker_asks_for_the_proof(claim: str) -> None:
    """Whoever makes a claim is handed a `Whole`: it cannot be left out, and None is none."""
    kinds = {"No changes": plan_text.NoChanges, "clean": Clean, "Proven": Proven,
             "Nothing stands in the way": doctor_text.NothingInTheWay}  # fmt: skip
    (field,) = (f for f in fields(kinds[claim]) if f.name == "whole")
    assert (field.type, field.default is MISSING, field.default_factory is MISSING) == ("Whole", True, True)


AGAINST = (*ALARMING, Class.UNCHECKED)


@pytest.mark.parametrize(
    "make",
    [
        lambda: plan_text.NoChanges(replace(PLAN, changes=(CHANGE,)), Whole(READ)),
        lambda: plan_text.NoChanges(replace(PLAN, left_out=(app_at("a.net"),)), Whole(READ)),
        lambda: plan_text.NoChanges(replace(PLAN, diagnostics=(COLLISION.found("there"),)), Whole(READ)),
        *(lambda k=kind: Clean((Finding(k, "x", "s", "e"),), ALARMING, Whole(READ)) for kind in AGAINST),
        lambda: Clean((Finding(Class.PENDING, "x", "s", "e"),), ALARMING | {Class.PENDING}, Whole(READ)),
        lambda: Proven((), Whole(READ)),
        lambda: Proven(("https://never.read/",), Whole(READ)),
        lambda: doctor_text.NothingInTheWay(ILL, Whole(READ)),
        lambda: doctor_text.NothingInTheWay(WELL[1:], Whole(READ)),
        lambda: doctor_text.NothingInTheWay(ILL, Whole(doctor_text.coverage(ILL))),
    ],
)
def test_a_claim_cannot_be_constructed_against_what_was_found(make: Callable[[], object]) -> None:
    """Everything read, and something found that speaks against it."""
    with pytest.raises(ValueError, match=r"\w"):
        make()


# One place each

PHRASES = {
    "No changes": r"\bNo changes\b",
    "Partial": r"\bPartial: ",
    "every outcome changes at most once": r"changes at most once",
    "unchanged": r"\(unchanged\)",
    "clean": r"^clean$",
    "Proven": r"^Proven\b",
    "EMULATOR: not Cloudflare": r": not Cloudflare",
    "is valid": r"(^|file) is valid",
    "accepted under": r"\baccepted under\b",
    "Nothing stands in the way": r"Nothing stands in the way",
}
"""How a claim can be recognised in a string of the program."""

BESIDE = {
    ("cf_mtls.story", "No changes"): "the demo checks that the plan said so",
    ("cf_mtls.planning.drift", "clean"): "the value of the status",
    ("cf_mtls.report.drift_text", "clean"): "the words of the three states, chosen by the status",
    ("cf_mtls.ci.outputs", "clean"): "as there",
    (
        "cf_mtls.ci.event",
        "is valid",
    ): "a fork is told so once its file was validated; it says that the account is not known",
    ("cf_mtls.report.proof_text", "Proven"): "its sentence, chosen by the claim",
}
"""Modules that hold the phrase besides the function that makes the claim, and why that claims nothing by itself."""


def strings() -> Iterator[tuple[str, str, str]]:
    """Module, qualified name of the function around it, and text of each string that is no docstring."""
    for path in sorted((ROOT / "cf_mtls").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield from ((module, name, text) for name, text in _texts(ast.parse(path.read_text("utf-8")), ""))


def _texts(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        inner = f"{name}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else name
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield name.lstrip("."), child.value
        yield from _texts(child, inner)


@pytest.mark.parametrize("claim", PHRASES)
def test_a_claim_stands_in_one_place(claim: str) -> None:
    """Nobody else has the words; who must is named with the reason."""
    maker = TABLE[claim]
    found = {(module, name) for module, name, text in strings() if re.search(PHRASES[claim], text)}
    others = {f"{module}:{name}" for module, name in found if (module, claim) not in BESIDE} - {maker}
    assert not others
    assert found


@pytest.mark.parametrize("maker", sorted(set(TABLE.values())))
def test_who_makes_a_claim_is_there(maker: str) -> None:
    """The table names functions of the program."""
    module, _, name = maker.partition(":")
    found: object = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)


def test_every_claim_can_be_recognised() -> None:
    """The phrases are those of the table."""
    assert set(PHRASES) == set(TABLE)
