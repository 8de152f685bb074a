"""From a `Reading` to a `Document`: pydantic's complaints become diagnostics with a place.

Rules of this file:
- All problems at once; each at the key or value that causes it, or at the nearest thing above it.
- An unknown key is answered with the nearest known one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from cf_mtls.declare.document import Document
from cf_mtls.diagnostics import Code, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.declare.yaml_text import Path, Reading

UNKNOWN_KEY = Code("document.unknown-key", Severity.ERROR, Fault.FILE, "a key is not known here")
MISSING_KEY = Code("document.missing-key", Severity.ERROR, Fault.FILE, "a key is missing")
INVALID = Code("document.invalid-value", Severity.ERROR, Fault.FILE, "a value is not valid")


def document(reading: Reading) -> Document | None:
    """The document of a reading, None when it has problems: they are added to the reading."""
    if reading.data is None:
        return None
    try:
        return Document.model_validate(reading.data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _gather(reading, found)
        return None


def _gather(reading: Reading, found: Any) -> None:
    path = _in_file(reading, tuple(found["loc"]))
    if found["type"] == "extra_forbidden":
        _unknown(reading, path)
    elif found["type"] == "missing":
        reading.problem(MISSING_KEY, path, f"{path[-1]} must be given here.")
    else:
        said = found["msg"].removeprefix("Value error, ")
        shown = path[-2] if path[-1:] == ("?key",) else path[-1] if path else "the file"
        reading.problem(INVALID, path, f"{shown}: {said[0].lower() + said[1:]}.")


def _unknown(reading: Reading, path: Path) -> None:
    from difflib import get_close_matches

    names = sorted({name for model in _models_at(path[:-1]) for name in model.model_fields})
    near = get_close_matches(str(path[-1]), names, 1)
    fix = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(names)}."
    reading.problem(
        UNKNOWN_KEY, (*path[:-1], path[-1], "?key"), f"{path[-1]} is not a key of this mapping.", fix
    )


def _in_file(reading: Reading, path: Path) -> Path:
    """A location without what pydantic adds (names of union members, "[key]"); the last part may be absent."""
    if path and path[-1] == "[key]":
        return (*path[:-1], "?key")
    known: Path = ()
    for index, part in enumerate(path):
        if (*known, part) in reading.places or (index == len(path) - 1 and _is_a_key(part)):
            known = (*known, part)
    return known


def _is_a_key(part: str | int) -> bool:
    return (
        isinstance(part, str)
        and "[" not in part
        and part not in {"policy", "reference", "str", "urls", "word"}
    )


def _models_at(path: Path) -> tuple[type[BaseModel], ...]:
    """The models that may stand at a path of the document: several where the file may hold either."""
    models: tuple[type[BaseModel], ...] = (Document,)
    for part in path:
        fields = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        if fields:
            models = tuple(model for annotation in fields for model in _inside(annotation))
        # otherwise the part is a label, an index or the name of a union's member: the models stay.
    return models


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)
