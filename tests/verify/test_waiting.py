"""After an apply: asked again until the edge agrees or the deadline passes, with one line that says so."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from cf_mtls import proving
from cf_mtls.cli.live import LiveLine
from cf_mtls.model.evidence import Evidence, Outcome, Probe
from cf_mtls.model.people import Expected, Target
from cf_mtls.pki.identity import Identity
from cf_mtls.remote.pace import Clock

EDGE = (("cf-ray", "1-FAKE"),)
REFUSAL = Evidence(403, "HTTP/2", (*EDGE, ("cf-access-aud", "x")))
OPEN = Evidence(200, "HTTP/2", EDGE)


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class LateEdge:
    """A witness to an edge that begins to refuse after some time."""

    time: Time
    shuts_at: float
    asked: list[str] = field(default_factory=list)
    name: str = "fake"
    can: frozenset[int] = frozenset({1, 2})
    at_once: int = 1

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        self.asked.append(probe.who)
        return REFUSAL if probe.proof == 1 and self.time.now_s >= self.shuts_at else OPEN


def subject(urls: int = 1) -> proving.Subject:
    probes = []
    for n in range(urls):
        target = Target(f"https://a.net/{n}", "a")
        probes += [
            Probe(target, None, Expected.REFUSED, 1, f"bare {n}"),
            Probe(target, None, Expected.ALLOWED, 2, f"jean {n}"),
        ]
    return proving.Subject(tuple(probes))


def test_it_waits_until_the_edge_agrees() -> None:
    """Open for three seconds, then shut: passed, each wait said, and only what had not passed was asked again."""
    time, said = Time(), list[str]()
    edge = LateEdge(time, 3.0)
    verdicts = proving.verify_until(subject(2), edge, proving.Patience(time.clock(), 60.0, said.append))
    assert {v.outcome for v in verdicts} == {Outcome.PASS}
    assert set(said) == {"waiting for the edge: 2 of 4 still answer 200"}
    assert edge.asked.count("jean 0") == 1
    assert edge.asked.count("bare 0") == len(said) + 1


def test_it_gives_up_at_the_deadline() -> None:
    """Never shut: failed, and never later than told."""
    time = Time()
    verdicts = proving.verify_until(subject(), LateEdge(time, 1e9), proving.Patience(time.clock(), 60.0))
    assert Outcome.FAIL in {v.outcome for v in verdicts}
    assert 50 < time.now_s <= 60


def test_a_stop_ends_the_waiting_at_once() -> None:
    """Whoever wants the run to end does not wait for the deadline."""
    time = Time()
    patience = proving.Patience(time.clock(), 60.0, stopping=lambda: True)
    proving.verify_until(subject(), LateEdge(time, 1e9), patience)
    assert time.now_s == 0


def test_one_is_said_in_the_singular() -> None:
    """`1 of 2 still answers 200`."""
    time, said = Time(), list[str]()
    proving.verify_until(subject(), LateEdge(time, 0.1), proving.Patience(time.clock(), 60.0, said.append))
    assert said == ["waiting for the edge: 1 of 2 still answers 200"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_is_rewritten() -> None:
    """Every text replaces the one before; at the end nothing is left of it."""
    stream = Terminal()
    live = LiveLine(stream, lambda: 0.0)
    for text in ("one", "two\x1b[31m", "two"):
        live.say(text)
    live.end()
    assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ktwo\\x1b[31m\r\x1b[Ktwo\r\x1b[K"


@pytest.mark.parametrize(
    ("moments", "lines"), [((0.0, 0.1, 0.2, 0.3), 1), ((0.0, 0.5, 1.0, 1.5), 2), ((0.0, 1.0, 2.0, 3.0), 4)]
)
def test_elsewhere_plain_lines_come_at_most_once_a_second(moments: tuple[float, ...], lines: int) -> None:
    """A log gets whole lines without control characters."""
    stream, at = io.StringIO(), [0.0]
    live = LiveLine(stream, lambda: at[0])
    for n, at[0] in enumerate(moments):
        live.say(f"text {n}")
    live.end()
    assert stream.getvalue().count("\n") == lines
    assert "\r" not in stream.getvalue()


def test_elsewhere_the_same_is_not_said_twice() -> None:
    """However much time passes."""
    stream, at = io.StringIO(), [0.0]
    live = LiveLine(stream, lambda: at[0])
    for at[0] in (0.0, 5.0, 9.0):
        live.say("the same")
    assert stream.getvalue() == "the same\n"


def test_no_cookie_leaves_the_asking() -> None:
    """Evidence may carry a cookie to the witness's second request, and no further."""

    class Baker(LateEdge):
        def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
            return Evidence(200, "HTTP/2", EDGE, cookies=("CF_Authorization=canary",))

    seen = proving.ask(subject(), Baker(Time(), 0))
    assert {e.cookies for _, e in seen} == {()}
