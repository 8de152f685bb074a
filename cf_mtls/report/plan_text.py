"""A plan for a person: every change with the attributes that differ, counts last.

Rules of this file:
- A change is never shown without its attributes; what does not change is not shown.
- The lines that other tools look for are Terraform's: `# ADDRESS will be created`,
  `Plan: N to add, N to change, N to destroy.`, `No changes.`
- A certificate is its subject, SHA-256 and expiry; never its PEM.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import has_errors
from cf_mtls.model.ends import distance
from cf_mtls.model.frozen import thaw
from cf_mtls.model.marks import shown
from cf_mtls.model.plan import Action, Phase
from cf_mtls.model.resources import AccessApplication, AccessPolicy, CaCertificate, HostnameSettings, Kind
from cf_mtls.planning.contents import RECORDED, UNSEEN
from cf_mtls.planning.ownership import pins
from cf_mtls.quick import dataclass
from cf_mtls.report.door_text import door_table
from cf_mtls.report.terminal import harmless, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cf_mtls.model.coverage import Whole
    from cf_mtls.model.plan import Change, Plan, Step
    from cf_mtls.model.resources import Resource, Rule
    from cf_mtls.report.terminal import Paint

WORDS = {Action.CREATE: "created", Action.UPDATE: "updated in-place", Action.DELETE: "destroyed"}

READING_ORDER = (Kind.CERTIFICATE, Kind.SETTINGS, Kind.APPLICATION)
"""Trust first, then what demands it."""

PHASES = {
    Phase.UPLOAD: "upload",
    Phase.WIDEN: "widen",
    Phase.SETTINGS: "settings",
    Phase.DEMAND: "demand",
    Phase.RELEASE: "release",
    Phase.NARROW: "narrow",
    Phase.DELETE: "delete",
}


def plan_text(plan: Plan, paint: Paint, now: datetime) -> str:
    """The whole plan as text. now: aware UTC, for the days left."""
    if plan.is_empty:
        return paint.bold(verdict(plan))
    changes = sorted(
        plan.changes, key=lambda change: (READING_ORDER.index(change.address.kind), change.address)
    )
    blocks = [_block(change, paint, now) for change in changes]
    doors = door_table(plan.doors, plan.actual, plan.desired, paint, pins(plan.inputs.declared))
    last = f"{paint.bold(verdict(plan))}\n{paint.dim(str(plan.promise))}"
    return "\n\n".join(filter(None, [*blocks, doors, last]))


@dataclass(frozen=True, slots=True)
class NoChanges:
    """The claim that the account is as the whole file declares it.

    whole: that everything was read which it rests on. Raises ValueError beside a change, a refusal, which may hide
    changes, and what `--target` left out.
    """

    plan: Plan
    whole: Whole

    def __post_init__(self) -> None:
        """Whatever makes one."""
        if not self.plan.is_empty or self.plan.left_out or has_errors(self.plan.diagnostics):
            message = "there are changes, or it was not decided"
            raise ValueError(message)

    def __str__(self) -> str:
        """The line, with what of it was not decided."""
        scope = self.plan.scope
        said = f"No changes. {scope.kind.capitalize()} {scope.id} is as the file declares it"
        return f"{said}{_except(self.plan)}."


def no_changes(plan: Plan) -> NoChanges | None:
    """The claim, None where it cannot be made."""
    whole = plan.coverage.whole()
    if whole is None or not plan.is_empty or plan.left_out or has_errors(plan.diagnostics):
        return None
    return NoChanges(plan, whole)


def verdict(plan: Plan) -> str:
    """What a plan comes to, in one line."""
    partial = f"Partial: {plural(len(plan.left_out), 'change')} left out." if plan.left_out else ""
    if not plan.is_empty:
        return f"{summary(plan)} {partial}".rstrip()
    if has_errors(plan.diagnostics):
        return "Not decided: something stands in the way of a plan."
    if partial:
        return f"{partial} What is targeted is as the file declares it."
    return str(no_changes(plan) or unread(plan))


def unread(plan: Plan) -> str:
    """What a plan without changes comes to when something that it rests on was not read."""
    missing = ", ".join(harmless(name) for name in plan.coverage.missing)
    if not missing:
        return "Nothing to do. The account was not looked at."
    return f"Not decided: nothing differs in what could be read. Not read: {missing}."


def _except(plan: Plan) -> str:
    """What of *as the file declares it* was not decided, '' for nothing."""
    doubtful = sum(d.code in {RECORDED, UNSEEN} for d in plan.diagnostics)
    if not doubtful:
        return ""
    return f"; what {plural(doubtful, 'CA')} {'holds' if doubtful == 1 else 'hold'} is not proven"


def summary(plan: Plan) -> str:
    """`Plan: 1 to add, 0 to change, 0 to destroy.`"""
    count = {action: sum(change.action is action for change in plan.changes) for action in Action}
    return (
        f"Plan: {count[Action.CREATE]} to add, {count[Action.UPDATE]} to change, "
        f"{count[Action.DELETE]} to destroy."
    )


def _block(change: Change, paint: Paint, now: datetime) -> str:
    colour = {Action.CREATE: paint.green, Action.UPDATE: paint.yellow, Action.DELETE: paint.red}[
        change.action
    ]
    address = harmless(str(change.address))
    lines = [paint.bold(f"# {address} will be {WORDS[change.action]}")]
    before = dict(attributes(change.before, now)) if change.before else {}
    after = dict(attributes(change.after, now)) if change.after else {}
    if change.action is Action.UPDATE:
        about = after.get("name") or [address]
        lines.append(f"{colour('~')} {harmless(about[0])}")
        lines += [line for name in change.attributes for line in _difference(name, before, after, paint)]
    else:
        symbol = colour(change.action.symbol)
        lines += [
            f"{symbol} {line}" for name, values in (after or before).items() for line in _named(name, values)
        ]
    return "\n".join(lines)


def _named(name: str, values: list[str]) -> Iterator[str]:
    """`name: value`, or the name and its values below it."""
    if len(values) == 1:
        yield f"{name}: {harmless(values[0])}"
        return
    yield f"{name}:"
    yield from (f"  {harmless(value)}" for value in values)


def _difference(
    name: str, before: dict[str, list[str]], after: dict[str, list[str]], paint: Paint
) -> Iterator[str]:
    old, new = before.get(name, ["not set"]), after.get(name, ["not set"])
    yield f"    {name}:"
    yield from (paint.red(f"      - {harmless(line)}") for line in old if line not in new)
    yield from (paint.green(f"      + {harmless(line)}") for line in new if line not in old)
    if sorted(old) == sorted(new):
        yield from (paint.yellow(f"      ~ {harmless(line)}") for line in new)


def attributes(resource: Resource, now: datetime) -> Iterator[tuple[str, list[str]]]:
    """What a person wants to see of a resource, by Cloudflare's names, each value on a line of its own."""
    match resource:
        case CaCertificate():
            yield "name", [shown(resource.name)]
            yield "associated_hostnames", list(resource.associated_hostnames) or ["none"]
            if resource.sha256:
                yield "sha256", [resource.sha256]
            yield "expires_on", [_expiry(resource.expires_on, now)]
        case HostnameSettings():
            yield "hostname", [resource.hostname]
            yield "client_certificate_forwarding", [str(resource.client_certificate_forwarding).lower()]
            yield "china_network", [str(resource.china_network).lower()]
        case AccessApplication():
            yield "name", [resource.name]
            yield "destinations", [_destination(thaw(d)) for d in resource.destinations]
            yield (
                "policies",
                [policy_words(i, p) for i, p in enumerate(resource.policies, 1)] or ["none: nobody gets in"],
            )
            yield from ((name, [json.dumps(thaw(value))]) for name, value in resource.fields.items())


def _expiry(at: datetime, now: datetime) -> str:
    return f"{at:%Y-%m-%d}, {distance(at, now)}"


def _destination(raw: dict[str, object]) -> str:
    return str(raw["uri"]) if raw.keys() == {"type", "uri"} else json.dumps(raw)


def policy_words(place: int, policy: AccessPolicy) -> str:
    """A policy in one line, with its place in the order."""
    if policy.reusable:
        return f"{place}. {policy.name} (reusable policy {policy.id})"
    parts = [
        f"{part} {' or '.join(map(_rule, rules)) if part != 'require' else ' and '.join(map(_rule, rules))}"
        for part in ("include", "require", "exclude")
        if (rules := getattr(policy, part))
    ]
    more = [f"{name} {json.dumps(thaw(value))}" for name, value in policy.fields.items()]
    return f"{place}. {policy.name} ({policy.decision}): {'; '.join(parts + more)}"


def _rule(rule: Rule) -> str:
    value = thaw(rule.value)
    if not isinstance(value, dict) or not value:
        return rule.kind
    inner = next(iter(value.values())) if len(value) == 1 else value
    return f"{rule.kind} {inner if isinstance(inner, str) else json.dumps(inner)}"


def step_text(step: Step, plan: Plan) -> str:
    """One done step as a line: phase, address and name."""
    resource = step.value or plan.actual.get(step.address)
    name = "" if resource is None or isinstance(resource, HostnameSettings) else f"  {shown(resource.name)}"
    return f"{PHASES[step.phase]:<9} {harmless(str(step.address))}{harmless(name)}"
