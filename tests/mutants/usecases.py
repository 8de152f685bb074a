"""Mutants of the use cases: settle, proving, checking, workflow."""

from __future__ import annotations

from tests.mutants.rows import of

MUTANTS = (
    *of(
        "settle",
        "usecases/test_settle.py",
        ("Settler.between", "if boundary.next is Phase.DEMAND:", "if False:"),
        ("Settler._asks", "boundary.demanded & boundary.trusted", "boundary.trusted"),
        ("Settler._asks", "raise Failure(", "Failure("),
        ("Settler._asks", "[s for s in seen if not s.asked and not s.failure]", "[]"),
        ("Settler._pause_for", "self.patience.clock.sleep(BLIND_S)", "pass"),
        ("Settler._follows", "raise Failure(", "Failure("),
        ("Settler._follows", "v.outcome is Outcome.FAIL", "v.outcome is Outcome.INCONCLUSIVE"),
        ("_plainly", "if probe.expected is Expected.UNDECLARED else probe", "if False else probe"),
    ),
    *of(
        "proving",
        "usecases/test_proving.py verify/test_waiting.py",
        ("_ask", "if probe.shows and identity is None:", "if False:"),
        ("_ask", "cookies=()", "cookies=('x',)"),
        ("verify_until", "patience.clock.now() + pause > end or", ""),
        ("verify_until", "or patience.stopping()", ""),
        ("verify_until", "if v.outcome is not Outcome.PASS", "if v.outcome is Outcome.INCONCLUSIVE"),
        ("_asker", "if judge_chain(ders, leaf.der, sent, now, SSLCLIENT).ok", ""),
        (
            "subject",
            "if ca.pem",
            "",
            "= a CA without its PEM has no certificates, and under none nobody is valid",
        ),
    ),
    *of(
        "rotation",
        "usecases/test_rotation.py",
        ("Rotation._nobody_is_refused", "raise Failure(", "Failure("),
        ("Rotation._nobody_is_refused", "Exit.VERIFY_FAILED", "Exit.ERROR"),
        ("Rotation._is_shown", "and p.target.url in shut", ""),
        ("Rotation._is_shown", "verdicts[p].outcome is Outcome.PASS and", ""),
        ("Rotation._is_shown", "handover.host in self.unproven", "self.unproven"),
        ("Rotation._is_shown", "raise Failure([NOT_SHOWN.found(detail, fix)])", "pass"),
        ("Rotation._shows", "if proof.client.is_here", ""),
        ("Rotation._is_given_up", "if name == probe.who", ""),
        ("Rotation._is_given_up", "concrete(url) == probe.target.url", "True"),
        ("_Watch.until_told", "if out & refused or (out and late):", "if out & refused:"),
        ("_Watch.until_told", "if out & refused or (out and late):", "if False:"),
        ("_Watch.until_told", "if waited and not still and not out:", "if not still and not out:"),
        ("_Watch.until_told", "if waited and not still and not out:", "if waited and not out:"),
        ("_Watch.until_told", "raise self._not_left(still)", "return None"),
        ("_Watch.until_told", "LAG_S if self.blind else 0.0", "0.0"),
        ("_Watch._is_still_in", "and verdict.probe.host in self.run.unproven", ""),
        ("_Watch._is_still_in", "and not is_allowed", ""),
        ("_Watch._tell", "- self.run.unproven", ""),
        ("_Watch._tell", "raise Failure([NOT_SHOWN.found(detail, fix)])", "pass"),
        ("Rotation._gone", "if all(pairs):", "if any(pairs):"),
        ("Rotation._only_old", "if any(other.pem is None for other in cas.values()):", "if False:"),
    ),
    *of(
        "settle",
        "usecases/test_rotation.py",
        ("Settler.between", "self.rotation.before(boundary)", "pass"),
        ("Settler.between", "self.rotation.after(boundary) if boundary.is_narrowed else None", "None"),
    ),
)
