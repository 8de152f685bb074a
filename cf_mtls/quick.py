"""`dataclass` as the standard library has it, made in half the time where it is frozen and has slots.

Rules of this file:
- For a type checker it *is* the standard one, and what is asked of it beyond `frozen=True, slots=True` goes there.
- The standard one compiles six functions for every class, each by itself, and a plan makes seventy classes before it
  does anything. Here three are compiled together; the others are the same for every class and written once.
- It behaves alike: `fields`, `replace`, defaults, `compare`, `repr`, `match`, copies and pickles; a test compares.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, **options):
        """The decorator; options as of `dataclasses.dataclass`."""
        if cls is None and options == {"frozen": True, "slots": True}:
            return _made
        return dataclasses.dataclass(cls, **options)


def _made(cls: type) -> Any:
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    own = vars(made)
    shared = {**_compiled(made), "__repr__": _repr, "__setattr__": _refuse, "__delattr__": _refuse}
    for name, function in (shared | {"__reduce__": _reduce}).items():
        if name not in own:
            setattr(made, name, function)
    return made


def _compiled(made: Any) -> dict[str, Any]:
    """`__init__`, `__eq__` and `__hash__` of a class."""
    fields = dataclasses.fields(made)
    space: dict[str, Any] = {"_put": object.__setattr__, "_absent": dataclasses.MISSING}
    space |= {f"_d_{f.name}": f.default for f in fields}
    space |= {f"_f_{f.name}": f.default_factory for f in fields}
    compared = "".join(f"self.{f.name}," for f in fields if f.compare)
    body = [*(f" _put(self, {f.name!r}, {_value(f)})" for f in fields)]
    body += [" self.__post_init__()"] if hasattr(made, "__post_init__") else []
    source = [
        f"def __init__(self, {', '.join(map(_parameter, fields))}):",
        *(body or [" pass"]),
        "def __eq__(self, other):",
        " if other.__class__ is not self.__class__: return NotImplemented",
        f" return ({compared}) == ({compared.replace('self.', 'other.')})",
        "def __hash__(self):",
        f" return hash(({compared}))",
    ]
    exec("\n".join(source), space)  # noqa: S102 - the names are those of our own classes, as dataclasses does
    return {name: space[name] for name in ("__init__", "__eq__", "__hash__")}


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}=_absent"
    return field.name if field.default is dataclasses.MISSING else f"{field.name}=_d_{field.name}"


def _value(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is dataclasses.MISSING:
        return field.name
    return f"_f_{field.name}() if {field.name} is _absent else {field.name}"


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: Any, name: str, *_: Any) -> None:
    message = f"{type(self).__qualname__}: cannot assign to or delete field {name!r}"
    raise dataclasses.FrozenInstanceError(message)


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), tuple(getattr(self, f.name) for f in dataclasses.fields(self))
