"""Which application governs a host and path: wildcards, nesting, stars, and what is not known."""

from __future__ import annotations

import pytest

from cf_mtls.access.match import covers, disputed, governor, specificity
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.resources import GUARDS_NOTHING, AccessApplication, Address, Kind, public
from cf_mtls.model.state import State


@pytest.mark.parametrize(
    ("domain", "host", "path", "expected"),
    [
        ("a.net", "a.net", "/", True),
        ("a.net", "a.net", "/any/thing", True),
        ("a.net", "b.a.net", "/", False),
        ("a.net/alpha", "a.net", "/alpha", True),
        ("a.net/alpha", "a.net", "/alpha/", True),
        ("a.net/alpha", "a.net", "/alpha/beta", True),
        ("a.net/alpha", "a.net", "/alphabet", False),
        ("a.net/alpha", "a.net", "/Alpha", False),
        ("a.net/alpha/*", "a.net", "/alpha", False),
        ("a.net/alpha/*", "a.net", "/alpha/beta", True),
        ("*.a.net", "x.a.net", "/", True),
        ("*.a.net", "a.net", "/", False),
        ("*.a.net", "x.y.a.net", "/", False),
        ("*test.a.net", "test.a.net", "/", True),
        ("*test.a.net", "alphatest.a.net", "/", True),
        ("*test.a.net", "alpha.test.a.net", "/", False),
        ("a.net/x/*/z", "a.net", "/x/y/z", True),
        ("a.net/x/*/z", "a.net", "/x/y/w/z", True),
        ("a.net/x/*/z", "a.net", "/x/z", False),
        ("a.net/a.b", "a.net", "/axb", False),
    ],
)
def test_what_a_domain_covers(domain: str, host: str, path: str, expected: bool) -> None:
    """Facts 3.8, row by row."""
    assert covers(domain, host, path) is expected


def apps(*domains: str) -> State:
    return State((Address(Kind.APPLICATION, d), AccessApplication(d, (public(d),), ())) for d in domains)


@pytest.mark.parametrize(
    ("domains", "host", "path", "wins"),
    [
        (("a.net", "a.net/x"), "a.net", "/x/y", "a.net/x"),
        (("a.net", "a.net/x", "a.net/x/y"), "a.net", "/x/y", "a.net/x/y"),
        (("a.net/x", "a.net/x/*"), "a.net", "/x/y", "a.net/x/*"),
        (("*.net", "a.net"), "a.net", "/", "a.net"),
        (("*.net/x", "a.net/x"), "a.net", "/x", "a.net/x"),
        (("*.a.net", "*test.a.net"), "test.a.net", "/", "*test.a.net"),
    ],
)
def test_the_most_specific_wins(domains: tuple[str, ...], host: str, path: str, wins: str) -> None:
    """Whatever the order in which the account lists them."""
    for listed in (domains, tuple(reversed(domains))):
        found = governor(apps(*listed), host, path)
        assert found
        assert found.domain == wins


def test_nothing_governs_where_no_application_stands() -> None:
    """The origin is open there."""
    assert governor(apps("a.net/x"), "a.net", "/y") is None


def test_a_longer_path_on_a_wildcard_host_against_an_exact_host_is_disputed() -> None:
    """The fact sheet does not know which wins, so it is said."""
    state = apps("*.net/x", "a.net")
    assert disputed(state, "a.net", "/x")
    assert not disputed(state, "a.net", "/y")
    assert specificity("*.net/x", "path-first") > specificity("a.net", "path-first")
    assert specificity("*.net/x", "host-first") < specificity("a.net", "host-first")


@pytest.mark.parametrize("kind", sorted(GUARDS_NOTHING))
def test_an_application_of_a_type_that_guards_no_url_decides_nowhere(kind: str) -> None:
    """Whatever its policies say, the next one decides, or none; one of a type that is not known decides."""
    address, below = Address(Kind.APPLICATION, "a.net"), Address(Kind.APPLICATION, "a.net/x")
    app = AccessApplication("a", (public("a.net"),), ())
    inner = AccessApplication("b", (public("a.net/x"),), (), freeze_object({"type": kind}))
    found = governor(State({address: app, below: inner}), "a.net", "/x")
    assert found
    assert found.address == address
    assert governor(State({below: inner}), "a.net", "/x") is None
    unknown = AccessApplication("b", (public("a.net/x"),), (), freeze_object({"type": "of tomorrow"}))
    found = governor(State({address: app, below: unknown}), "a.net", "/x")
    assert found
    assert found.address == below
