"""The JSON Schema of a plan file, draft-07, made from the model: what editors complete and check with.

Rules of this file:
- Nothing is described here; descriptions and examples are the model's.
- Draft-07 ignores whatever stands beside `$ref`, so a reference with company is wrapped.
"""

from __future__ import annotations

import json
from typing import Any

from cf_mtls.declare.document import Document

FILE = "cf-mtls.schema.json"
"""The name under which the schema stands beside a plan file."""

LINE = f"# yaml-language-server: $schema={FILE}"
"""The first line of a plan file: how an editor finds the schema."""


def json_schema() -> dict[str, Any]:
    """The schema as JSON data, members in the model's order."""
    made = _draft7(Document.model_json_schema())
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A plan file of cf-mtls"}
    return {**head, **made}


def text() -> str:
    """The schema as the file holds it, with a line break at the end."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _draft7(node: Any) -> Any:
    match node:
        case {"$ref": str(target), **beside} if beside:
            return {**_draft7(beside), "allOf": [_draft7({"$ref": target})]}
        case {"patternProperties": _, **rest} if "additionalProperties" not in rest:
            return _draft7({**node, "additionalProperties": False})
        case dict():
            return {_renamed(k): _draft7(v) for k, v in node.items() if not _says_nothing(k, v)}
        case list():
            return [_draft7(item) for item in node]
        case str() if node.startswith("#/$defs/"):
            return "#/definitions/" + node.removeprefix("#/$defs/")
        case _:
            return node


def _renamed(key: str) -> str:
    return "definitions" if key == "$defs" else key


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
