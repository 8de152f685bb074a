"""A plan file for what exists, proven before it is written.

Rules of this file:
- Pure. The text is read back by the very road that `plan` takes; what would change, or cannot be said in a
  plan file, is left out with the reason. So the next plan is empty.
- What carries this stack's mark cannot be left out, for the next plan would delete it: then there is no draft.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls.bring import yaml_out
from cf_mtls.bring.entries import Entry, entries
from cf_mtls.bring.select import Selection, Skipped
from cf_mtls.declare import yaml_text
from cf_mtls.declare.border import document
from cf_mtls.declare.files import Source
from cf_mtls.declare.resolve import resolve
from cf_mtls.declare.schema import LINE
from cf_mtls.declare.values import UNKNOWN
from cf_mtls.diagnostics import Code, Failure, Fault, Severity, has_errors
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from cf_mtls.bring.match import Match, Misfit
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Address, Scope
    from cf_mtls.model.state import State

STACK_TAKEN = Code(
    "import.stack-taken", Severity.ERROR, Fault.INVOCATION, "the stack's mark is on what cannot be imported"
)
NOT_READ_BACK = Code(
    "import.not-read-back", Severity.ERROR, Fault.US, "the plan file would not say what is there"
)
SECTIONS = ("certificates", "hostname_settings", "applications")
RECORDED = (
    "# sha256: records the chain that was found for a CA. The account shows one certificate of it, so what stands",
    "# there is recorded, not proven. The way to know is to replace it: the same chain in an entry without id: and",
    "# sha256:, on the same hostnames; once that is proven, take the pinned entry out.",
)
MOST_NAMED = 5
"""How many things of one reason are named in the comment; the others are counted."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan file to be. head: its first lines, without which it is a part to add to an existing file."""

    head: str
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def text(self) -> str:
        """The file."""
        parts = [self.head, *(part for s in SECTIONS if (part := _section(s, self.entries)))]
        if self.skipped:
            parts.append("\n".join(_left_out(self.skipped)))
        return "\n\n".join(part for part in parts if part) + "\n"

    def chains(self) -> dict[str, bytes]:
        """The chain files that stand beside the plan, by the name the plan gives them."""
        return {e.members["chain"]: e.match.chain.pem.encode("ascii") for e in self.entries if e.match}

    def without(self, why: Mapping[Address, str]) -> Draft:
        """Less the entries of these addresses, each with its reason."""
        gone = tuple(Skipped(e.address, e.said, why[e.address]) for e in self.entries if e.address in why)
        kept = tuple(e for e in self.entries if e.address not in why)
        return replace(self, entries=kept, skipped=(*self.skipped, *gone))


def draft(
    selection: Selection,
    matches: Mapping[Address, Match | Misfit],
    head: str,
) -> Draft:
    """The first draft: everything chosen that can be written down at all."""
    made = Draft(head, tuple(entries(selection.chosen, matches)), selection.skipped)
    return made.without({e.address: why for e in made.entries if (why := _unwritable(e))})


def heading(stack: str, scope: Scope, at: datetime) -> str:
    """The first lines of a plan file. at: the day that it names."""
    return "\n".join(
        [
            LINE,
            f"# Imported on {at:%Y-%m-%d} from the {scope.kind} below; nothing in it was changed.",
            "# id: pins what was there already: it is managed in place and keeps its name. It carries no mark, so that",
            "# it leaves this file cannot be seen. To retire it, take its entry out and write its id at the left edge:",
            "# removed: [{id: ..., destroy: true}] (false: it stays and is no longer managed).",
            "# apply --destroy deletes what is pinned here and puts back the hostname settings declared here.",
            *yaml_out.lines({"version": 1, "stack": stack, f"{scope.kind}_id": scope.id}),
        ]
    )


def settle(made: Draft, actual: State, stack: str, at: datetime) -> Draft:
    """The draft whose plan against `actual` is empty. Raises Failure when there is none."""
    while True:
        wrong = _differences(made, actual, stack, at)
        if not wrong:
            return made
        strange = wrong.keys() - {entry.address for entry in made.entries}
        if strange:
            listed = "\n".join(f"    {address}: {wrong[address]}" for address in sorted(strange))
            detail = (
                f"It is there in the name of the stack {stack}, and the next plan would touch it:\n{listed}"
            )
            raise Failure([STACK_TAKEN.found(detail, "Give the file a stack of its own with --stack NAME.")])
        made = made.without(wrong)


def _differences(made: Draft, actual: State, stack: str, at: datetime) -> dict[Address, str]:
    """What the next plan would refuse or change, and why; empty when it would be empty."""
    reading = yaml_text.read(made.text, "import")
    found = document(reading)
    if found is None or has_errors(reading.diagnostics):
        return _blamed(made, reading.diagnostics)
    source = Source(Path("import"), reading, found, dict(made.chains()))
    stack_of_file = resolve(source, at)
    if has_errors(stack_of_file.diagnostics):
        return _blamed(made, stack_of_file.diagnostics)
    merged = merge(stack_of_file.state, actual, stack)
    if has_errors(merged.diagnostics):
        return _blamed(made, merged.diagnostics)
    return {
        change.address: f"its {', '.join(change.attributes)} cannot be said in a plan file"
        for change in diff(actual, merged.desired)
    }


def _blamed(made: Draft, diagnostics: Sequence[Diagnostic]) -> dict[Address, str]:
    """The entries that the errors are about. Raises Failure for an error that is about none of them."""
    errors = [d for d in diagnostics if d.is_error]
    blamed = {e.address: d.detail for d in errors for e in made.entries if _is_about(d, e)}
    if not blamed:
        raise Failure([NOT_READ_BACK.found(d.detail, "Please report it.") for d in errors])
    return blamed


def _is_about(diagnostic: Diagnostic, entry: Entry) -> bool:
    if diagnostic.place is None:
        return diagnostic.detail.startswith(f"{entry.address} ")
    return (diagnostic.place.path + ".").startswith(f"{entry.section}.{entry.label}.")


def _unwritable(entry: Entry) -> str:
    """Why an entry cannot be written down, '' when it can."""
    if entry.section == "certificates" and not entry.members["associated_hostnames"]:
        return "it is trusted on no hostname, so it does nothing"
    if entry.section == "applications" and not entry.members.get("domain", entry.members.get("domains")):
        return "it has no public hostname"
    back = yaml_text.read("\n".join(yaml_out.lines({"k": entry.members})) + "\n", "")
    return (
        "" if back.data == {"k": entry.members} and not back.diagnostics else "it cannot be written as YAML"
    )


def _section(name: str, found: tuple[Entry, ...]) -> str:
    """A section with its entries, '' when it has none."""
    inside = [entry for entry in found if entry.section == name]
    head = [*RECORDED, f"{name}:"] if any(entry.match for entry in inside) else [f"{name}:"]
    return "\n".join([*head, *(line for entry in inside for line in _lines(entry))]) if inside else ""


def _lines(entry: Entry) -> Iterator[str]:
    if entry.members.get("chain") == UNKNOWN:
        yield "  # The PEM was not found, so only hostnames are managed. To finish: put the chain beside this"
        yield "  # file and write chain: certs/NAME.pem in place of chain, fingerprint and expires_on;"
        yield "  # plan then says which sha256: to write beside it."
    if entry.note:
        yield f"  # {yaml_out.comment(entry.note)}"
    if entry.section == "hostname_settings":
        yield f"  {yaml_out.scalar(entry.label)}: {yaml_out.flow(entry.members)}"
        return
    yield f"  {entry.label}:" + (f"  # {yaml_out.comment(entry.said)}" if entry.said else "")
    yield from yaml_out.lines(entry.members, 4)


def _left_out(skipped: tuple[Skipped, ...]) -> Iterator[str]:
    yield "# Not in this file, and so never touched:"
    for why in dict.fromkeys(s.why for s in skipped):
        same = [s for s in skipped if s.why == why]
        yield f"# - {yaml_out.comment(why)}:"
        for s in same[:MOST_NAMED]:
            yield f"#     {yaml_out.comment(str(s.address))}" + (
                f'  "{yaml_out.comment(s.name)}"' if s.name else ""
            )
        if len(same) > MOST_NAMED:
            yield f"#     and {len(same) - MOST_NAMED} more"


def placed_at(made: Draft, names: Mapping[str, str]) -> Draft:
    """The draft with its chains under other names. names: a match's path to the name to write."""
    moved = tuple(
        replace(e, members={**e.members, "chain": names[e.match.path]}) if e.match else e
        for e in made.entries
    )
    return replace(made, entries=moved)
