"""Which conflict an answer reports: by its words, because one number stands for many."""

from __future__ import annotations

import pytest

from cf_mtls.remote.conflicts import Conflict, conflict
from cf_mtls.remote.gateway import Answer, ApiError
from tests.remote.fakes import Fake, Reply, ok, refused

A, B, D, C, U = (
    Conflict.ASSOCIATED, Conflict.BUSY, Conflict.DOMAIN_TAKEN, Conflict.CERTIFICATE_EXISTS, Conflict.UNKNOWN,
)  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(409, 12132, "access.api.error.certificate_has_active_associations"), A),
        (refused(400, 12132, "certificate has active associations"), A),
        (refused(409, 0, "access.api.error.conflict: previous certificate settings still being updated"), B),
        (refused(409, 12132, "access.api.error.application_already_exists"), D),
        (refused(409, 11010, "whatever it says"), D),
        (refused(400, 11010, "whatever it says"), D),
        (refused(409, 12132, "access.api.error.certificate_already_exists"), C),
        (refused(409, 12132, "something new is being done"), U),
        (refused(409, 0, ""), U),
        (refused(400, 12130, "certificate has active associations"), None),
        (refused(500, 0, "still being updated"), None),
        (ok({"id": "1"}), None),
        (ok({"id": "1"}, 201), None),
    ],
)
def test_a_conflict_is_known_by_its_words(reply: Reply, kind: Conflict | None) -> None:
    """A conflict's status or number makes it one; which one, its message says, and a new message is unknown."""
    answer = Fake(lambda *_: reply).writer().get("/x")
    assert isinstance(answer, Answer)
    assert conflict(answer) is kind


def test_what_was_done_is_no_conflict() -> None:
    """Whatever numbers stand beside it."""
    told = (ApiError(12132, "certificate has active associations"),)
    done = Answer(200, ok=True, result={}, errors=told, result_info=None, ray="", retry_after_s=None)
    assert conflict(done) is None
