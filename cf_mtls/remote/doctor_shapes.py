"""What the answers that the doctor asks for must look like: what does not is an answer that is not understood.

Rules of this file:
- A row names the members that a check looks at, by how the path ends; others are not looked at and may be anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.remote import wire
from cf_mtls.remote.gateway import Answer, NoAnswer, misunderstood
from cf_mtls.remote.pages import paging
from cf_mtls.remote.shape import (
    Misshapen,
    an_object,
    each,
    every,
    flag,
    identifier,
    kind_of,
    moment,
    name,
    names,
    needed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def understood(outcome: Answer | NoAnswer, path: str) -> Answer | NoAnswer:
    """The outcome, or the same as one that is not understood. path: of the request."""
    if not isinstance(outcome, Answer) or not outcome.ok:
        return outcome
    last = path.rpartition("/")[2]
    above = path.rpartition("/")[0].rpartition("/")[2]
    try:
        if last in LISTS:
            paging(outcome)
            listed = [] if outcome.result is None else outcome.result
            if not isinstance(listed, list):
                raise Misshapen("", f"is {kind_of(listed)}, not a list")
            every(listed, LISTS[last])
        else:
            OBJECTS.get(last, OBJECTS.get(above, an_object))(outcome.result)
    except Misshapen as error:
        return misunderstood(outcome, error.within("result"))
    return outcome


def _zone(raw: Any) -> None:
    identifier(raw)
    needed(raw, "name")
    name(raw, "status")
    flag(raw, "paused")


def _record(raw: Any) -> None:
    name(raw, "type")
    name(raw, "name")
    flag(raw, "proxied")


def _token(raw: Any) -> None:
    identifier(raw)
    name(raw, "status")
    if an_object(raw).get("expires_on") is not None:
        moment(raw, "expires_on")
    each(raw, "policies", _grant)


def _grant(raw: Any) -> None:
    name(raw, "effect")
    if raw.get("resources") is not None:
        try:
            an_object(raw["resources"])
        except Misshapen as error:
            raise error.within("resources") from None
    each(raw, "permission_groups", lambda group: name(group, "name"))


LISTS: Mapping[str, Callable[[Any], object]] = {
    "zones": _zone,
    "dns_records": _record,
    "certificates": wire.hostnames,
    "settings": wire.settings,
    "apps": an_object,
    "policies": an_object,
    "groups": an_object,
    "mtls_certificates": identifier,
    "client_certificates": an_object,
    "origin_tls_client_auth": an_object,
}
"""What each item of a list must have."""

OBJECTS: Mapping[str, Callable[[Any], object]] = {
    "organizations": lambda raw: name(raw, "auth_domain"),
    "hostname_associations": lambda raw: names(raw, "hostnames"),
    "verify": _token,
    "tokens": _token,
    "accounts": lambda raw: name(raw, "name"),
    "zones": lambda raw: name(raw, "name"),
}
"""What a single thing must have, by the last part of its path or the one before."""
