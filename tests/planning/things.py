"""The few things that tests of planning put into accounts, made in one place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cf_mtls.model.frozen import freeze, freeze_object
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Rule,
    public,
)

END = datetime(2030, 1, 1, tzinfo=UTC)
CERTIFICATE, EVERYONE = Rule("certificate"), Rule("everyone")


def rule(kind: str, **value: str) -> Rule:
    """A selector with its members."""
    return Rule(kind, freeze(value))


def policy(decision: str, *include: Rule, require: tuple[Rule, ...] = (), **more: Any) -> AccessPolicy:
    """A policy named after its decision."""
    return AccessPolicy(decision, decision, include, require, **more)


HOLDERS = policy("non_identity", CERTIFICATE)
ANYONE = policy("bypass", EVERYONE)
MAIL = policy("allow", rule("email", email="a@x.net"))
TOKEN = policy("non_identity", rule("service_token", token_id="t"))


def app_at(domain: str) -> Address:
    """Where an application stands."""
    return Address(Kind.APPLICATION, domain)


def app(domain: str, *policies: AccessPolicy, stack: str | None = "s", **more: Any) -> AccessApplication:
    """An application of one domain, for certificate holders unless it says otherwise."""
    fields = freeze_object(more.pop("fields", {}))
    mark = f" (cf-mtls {stack})" if stack else ""
    made = AccessApplication(f"{domain}{mark}", (public(domain),), policies or (HOLDERS,), fields)
    return replace(made, **more)


def ca_at(key: str) -> Address:
    """Where a CA stands."""
    return Address(Kind.CERTIFICATE, key)


def ca(key: str, *hosts: str, stack: str | None = "s", **more: Any) -> CaCertificate:
    """A CA on some hostnames."""
    mark = f" (cf-mtls {stack})" if stack else ""
    return replace(CaCertificate(f"{key}{mark}", tuple(sorted(hosts)), (key,), (END,)), **more)
