"""What stands where while moves are tried: what the API would take, and that taking a move back leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from cf_mtls.model.plan import Action, Change, Phase
from cf_mtls.model.resources import AccessApplication, public
from cf_mtls.model.state import State
from cf_mtls.planning.board import Board
from cf_mtls.planning.diff import diff
from cf_mtls.planning.moves import Move, moves
from tests.planning.things import ANYONE, app, app_at, ca, ca_at
from tests.planning.worlds import HOSTS, a_world

OLD, NEW, AT = ca("1", "a.net"), ca("2", "a.net"), ca_at("2")
UP, WIDEN = moves(Change(AT, Action.CREATE, None, NEW, ("x",)))
NARROW, DELETE = moves(Change(ca_at("1"), Action.DELETE, OLD, None, ("x",)))
START = [(ca_at("1"), OLD)]


def test_a_ca_is_deleted_only_when_it_has_no_hostname_left() -> None:
    """And once gone it cannot go again: facts 1.8."""
    board = Board(START)
    assert not board.takes(DELETE)
    board.make(NARROW)
    assert board.takes(DELETE)
    board.make(DELETE)
    assert not board.takes(DELETE)


def test_hostnames_are_given_only_to_a_ca_that_is_there() -> None:
    """First uploaded, then widened."""
    board = Board(START)
    assert not board.takes(WIDEN)
    board.make(UP)
    assert board.takes(WIDEN)


@pytest.mark.parametrize("move", [replace(UP, hosts=("a.net",)), WIDEN])
def test_where_a_hostname_takes_one_ca_the_old_one_leaves_first(move: Move) -> None:
    """A CA may be given what is free or its own already; elsewhere two may share a hostname."""
    single, shared = Board(START, one_ca=True), Board(START)
    for board in (single, shared):
        if move is WIDEN:
            board.make(UP)
    assert shared.takes(move)
    assert not single.takes(move)
    assert not single.takes(replace(move, hosts=("a.net", "free.net")))
    single.make(NARROW)
    assert single.takes(move)
    single.make(move)
    assert single.takes(replace(WIDEN, hosts=("a.net",)))


def test_a_domain_has_one_application() -> None:
    """The second is taken only once the first has gone: facts 3.5."""
    both: AccessApplication = replace(app("b.net"), destinations=(public("b.net"), public("a.net")))
    board = Board([(app_at("a.net"), app("a.net"))])
    comes = Move(Phase.DEMAND, Change(app_at("b.net"), Action.CREATE, None, both, ("x",)))
    goes = Move(Phase.RELEASE, Change(app_at("a.net"), Action.DELETE, app("a.net"), None, ("x",)))
    changes = Move(
        Phase.DEMAND,
        Change(app_at("a.net"), Action.UPDATE, app("a.net"), app("a.net", ANYONE), ("policies",)),
    )
    assert not board.takes(comes)
    assert board.takes(changes)
    board.make(goes)
    assert board.takes(comes)


def stands(board: Board, state: State) -> list[object]:
    addresses = [*state, *map(app_at, ("a.net", "a.net/x", "b.net"))]
    return [[board.trust(host) for host in HOSTS], board.standing(addresses)]


def test_what_a_move_would_leave_is_what_it_leaves_and_taking_it_back_leaves_no_trace() -> None:
    """In 200 random plans, along the whole sequence and back."""
    for seed in range(200):
        random = Random(seed)
        start, end = a_world(random), a_world(random)
        listed = [move for change in diff(start, end) for move in moves(change)]
        listed.sort(key=lambda move: move.key)
        board, seen = Board(start.items()), []
        for move in listed:
            seen.append((stands(board, end), [board.takes(m) for m in listed]))
            predicted = [[board.trust(h, move) if h in move.hosts else board.trust(h) for h in HOSTS],
                         board.standing([*end, *map(app_at, ("a.net", "a.net/x", "b.net"))], move)]  # fmt: skip
            board.make(move)
            if move.phase not in {Phase.UPLOAD, Phase.DELETE, Phase.SETTINGS}:
                assert stands(board, end) == predicted, f"seed {seed}: {move}"
        for move in reversed(listed):
            board.unmake(move)
            assert (stands(board, end), [board.takes(m) for m in listed]) == seen.pop(), (
                f"seed {seed}: {move}"
            )
