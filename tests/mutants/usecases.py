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
        "usecases/test_proving.py",
        ("_ask", "if probe.shows and identity is None:", "if False:"),
        ("_ask", "cookies=()", "cookies=('x',)"),
        ("verify_until", "patience.clock.now() + pause > end or", ""),
        ("verify_until", "or patience.stopping()", ""),
        ("verify_until", "if v.outcome is not Outcome.PASS", "if v.outcome is Outcome.INCONCLUSIVE"),
        ("_asker", "if judge_chain(ders, leaf.der, sent, now, SSLCLIENT).ok", ""),
        ("subject", "if ca.pem", ""),
    ),
)
