"""Values to JSON and back, as plans are saved; digests of what a plan relied on.

Rules of this file:
- Written and read by the fields of the classes themselves: a field that is added is carried without a word here.
- Read strictly: exactly the members that are written, each of its own type. Reading what was written gives the same
  value. What a value *means* is not judged here.
- The shape is for this program; what other tools read is made in `planfile`.
- Nothing private can be in here: resources hold public certificates and settings only, clients the paths of their keys.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cf_mtls.diagnostics import Place
from cf_mtls.model.frozen import Record, canonical, freeze, thaw
from cf_mtls.model.people import Client, Shown
from cf_mtls.model.plan import Removed
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
)
from cf_mtls.planning.canon import meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.model.resources import Resource

    Json = dict[str, Any]

T = TypeVar("T")

LOCAL = frozenset({(Client, "is_here"), (Shown, "fault"), (Removed, "place")})
"""Fields that say something of the machine, the moment or the plan file at hand: not written, read as their default."""

SAID = {"Address": Address, "Place": Place, "datetime": datetime, "Mapping": Mapping}
"""What the classes' annotations name and their files import for type checkers only."""

TYPES: dict[Kind, type] = {
    Kind.CERTIFICATE: CaCertificate,
    Kind.SETTINGS: HostnameSettings,
    Kind.APPLICATION: AccessApplication,
    Kind.POLICY: AccessPolicy,
    Kind.GROUP: AccessGroup,
}
"""What stands at an address of each kind."""


def address(text: str) -> Address:
    """An address from its text. ValueError for an unknown kind."""
    kind, _, key = text.partition("/")
    return Address(Kind(kind), key)


def instant(at: datetime) -> str:
    """An aware moment as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def write(value: object) -> Any:
    """A value of the model as JSON; None for None. TypeError for what no field of the model holds."""
    match value:
        case None | bool() | int() | float() | Enum() | str():
            return value.value if isinstance(value, Enum) else value
        case datetime():
            return instant(value)
        case bytes():
            return b64encode(value).decode("ascii")
        case Address():
            return str(value)
        case Record():
            return thaw(value)
        case frozenset():
            return sorted(map(write, value))
        case tuple():
            return [write(one) for one in value]
        case Mapping():
            return {str(key): write(one) for key, one in value.items()}
        case _ if is_dataclass(value):
            return {name: write(getattr(value, name)) for name in _names(cast("Any", type(value)))}
        case _:
            message = f"no way to write {type(value).__name__}"
            raise TypeError(message)


def read(kind: Kind, raw: object) -> Resource | None:
    """A resource from its JSON, None for None. KeyError, TypeError or ValueError for anything else."""
    return None if raw is None else cast("Resource", read_as(TYPES[kind], raw))


def read_as(kind: type[T], raw: object) -> T:
    """A value of a class from its JSON. KeyError, TypeError or ValueError for anything else."""
    return cast("T", _reader(cast("Any", kind))(raw))


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if (kind, f.name) not in LOCAL)


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """What reads a value of a type. TypeError for a type that no field of the model has."""
    if hint in MADE:
        return MADE[hint]
    if get_origin(hint) in GENERIC:
        return GENERIC[get_origin(hint)](get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda raw: hint(_plain(str, raw))
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint, localns=SAID)
        return partial(_object, hint, {name: _reader(hints[name]) for name in _names(hint)})
    message = f"no way to read {hint}"
    raise TypeError(message)


def _plain(kind: type, raw: Any) -> Any:
    if type(raw) is not kind:
        message = f"{kind.__name__} is expected, not {type(raw).__name__}"
        raise TypeError(message)
    return raw


MADE: dict[Any, Callable[[Any], Any]] = {
    **{kind: partial(_plain, kind) for kind in (str, bool, int, float, NoneType)},
    Address: lambda raw: address(_plain(str, raw)),
    datetime: lambda raw: _moment(_plain(str, raw)),
    bytes: lambda raw: b64decode(_plain(str, raw), validate=True),
    Record: lambda raw: freeze(_plain(dict, raw)),
}
"""How plain types are read."""


def _union(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """What reads one of several types; with a JSON object among them it is any JSON, which refers to itself."""
    return freeze if Record in kinds else partial(_either, tuple(map(_reader, kinds)))


GENERIC: dict[Any, Callable[[tuple[Any, ...]], Callable[[Any], Any]]] = {
    Literal: lambda values: partial(_one_of, values),
    Union: _union,
    UnionType: _union,
    tuple: lambda kinds: (
        partial(_list, tuple, _reader(kinds[0]))
        if kinds[1:] == (...,)
        else partial(_row, tuple(map(_reader, kinds)))
    ),
    frozenset: lambda kinds: partial(_list, frozenset, _reader(kinds[0])),
    Mapping: lambda kinds: partial(_mapping, _reader(kinds[1])),
}
"""How types made of others are read, from those others."""


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        message = "a moment needs its zone"
        raise ValueError(message)
    return at.astimezone(UTC)


def _one_of(values: tuple[Any, ...], raw: Any) -> Any:
    if raw not in values:
        message = f"one of {', '.join(map(str, values))} is expected"
        raise ValueError(message)
    return raw


def _either(readers: tuple[Callable[[Any], Any], ...], raw: Any) -> Any:
    error: Exception | None = None
    for reader in readers:
        try:
            return reader(raw)
        except (KeyError, TypeError, ValueError) as tried:
            error = error or tried
    raise error or TypeError


def _list(kind: Callable[[Any], Any], reader: Callable[[Any], Any], raw: Any) -> Any:
    return kind([reader(one) for one in _plain(list, raw)])


def _row(readers: tuple[Callable[[Any], Any], ...], raw: Any) -> Any:
    return tuple(reader(one) for reader, one in zip(readers, _plain(list, raw), strict=True))


def _mapping(reader: Callable[[Any], Any], raw: Any) -> dict[str, Any]:
    return {key: reader(one) for key, one in _plain(dict, raw).items()}


def _object(kind: type, readers: dict[str, Callable[[Any], Any]], raw: Any) -> Any:
    found = _plain(dict, raw)
    if found.keys() != readers.keys():
        names = ", ".join(sorted(found.keys() ^ readers.keys()))
        message = f"members are missing or unknown: {names}"
        raise ValueError(message)
    return kind(**{name: reader(found[name]) for name, reader in readers.items()})


def digest(value: object) -> str:
    """SHA-256 over canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def standing(resource: Resource) -> str:
    """A digest of what a resource means and which object it is: what a saved plan relies on.

    Order, defaults and whatever else the server normalises do not change it. The rules of a reusable policy count with
    the application that refers to it, so that it cannot be opened unseen.
    """
    identity = None if isinstance(resource, HostnameSettings) else resource.id
    said = {"id": identity, **meaning(resource)}
    if isinstance(resource, AccessApplication):
        said["reusable"] = canonical([meaning(p) for p in resource.policies if p.reusable])
    return digest(said)
