"""JSON that cannot change: `freeze` for values inside resources, `thaw` for the way out.

Rules of this file:
- Objects become `Record`, arrays become tuples; keys are sorted, so equal content is equal and hashes equal.
- Nothing here knows what the JSON means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, Union

from cf_mtls.quick import dataclass

Frozen: TypeAlias = Union[bool, int, float, str, tuple["Frozen", ...], "Record", None]


@dataclass(frozen=True, slots=True)
class Record(Mapping[str, Frozen]):
    """A JSON object as sorted pairs; reads like a dict, compares and hashes by content."""

    pairs: tuple[tuple[str, Frozen], ...] = ()

    def __getitem__(self, key: str) -> Frozen:
        for name, value in self.pairs:
            if name == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def merged(self, other: Mapping[str, Frozen]) -> Record:
        """These members with the other's on top."""
        return record({**dict(self.pairs), **dict(other.items())})

    def without(self, names: Iterable[str]) -> Record:
        """These members less the named ones."""
        gone = frozenset(names)
        return Record(tuple(pair for pair in self.pairs if pair[0] not in gone))


EMPTY = Record()


def record(members: Mapping[str, Frozen]) -> Record:
    """A `Record` of members that are frozen already."""
    return Record(tuple(sorted(members.items(), key=lambda pair: pair[0])))


def freeze(value: Any) -> Frozen:
    """The frozen form of anything `json.loads` returns. Raises TypeError for anything else."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return record({str(k): freeze(v) for k, v in value.items()})
        case list() | tuple():
            return tuple(freeze(v) for v in value)
        case _:
            message = f"not JSON: {type(value).__name__}"
            raise TypeError(message)


def freeze_object(value: Mapping[str, Any]) -> Record:
    """The frozen form of a JSON object."""
    return record({k: freeze(v) for k, v in value.items()})


def thaw(value: Frozen) -> Any:
    """The plain JSON value: dicts and lists again, keys sorted."""
    match value:
        case Record():
            return {k: thaw(v) for k, v in value.pairs}
        case tuple():
            return [thaw(v) for v in value]
        case _:
            return value


def canonical(value: Any) -> str:
    """JSON text that is the same for the same content: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
