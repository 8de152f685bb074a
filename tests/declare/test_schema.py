"""The JSON Schema: draft-07, true to the model, every key described with an example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cf_mtls.declare import schema, yaml_text
from cf_mtls.declare.document import Document

PLANS = Path(__file__).parents[2] / "plans"
SCHEMA = schema.json_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
SMALL: dict[str, Any] = {"version": 1, "stack": "s"}


def test_the_committed_schema_is_the_models() -> None:
    """Written by `cf-mtls schema`."""
    assert (PLANS / schema.FILE).read_text("utf-8") == schema.text()


def test_it_is_a_draft_07_schema() -> None:
    """What editors' language server reads."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in schema.text()


def keys() -> Iterator[tuple[str, dict[str, Any]]]:
    models = {"Document": SCHEMA, **SCHEMA["definitions"]}
    return ((f"{m}.{key}", said) for m, model in models.items() for key, said in model["properties"].items())


@pytest.mark.parametrize(("key", "said"), list(keys()), ids=[k for k, _ in keys()])
def test_every_key_is_described_with_an_example_that_fits(key: str, said: dict[str, Any]) -> None:
    """A description, and an example that the schema itself accepts."""
    assert said.get("description"), key
    assert said["examples"], key
    inner = jsonschema.Draft7Validator({**said, "definitions": SCHEMA["definitions"]})
    assert [e for example in said["examples"] for e in inner.iter_errors(example)] == []


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_examples_fit_and_say_where_their_schema_is(path: Path) -> None:
    """Each plan file in plans/ is valid, and its first line points at the schema beside it."""
    text = path.read_text("utf-8")
    assert text.splitlines()[0] == schema.LINE
    assert list(VALIDATOR.iter_errors(yaml_text.read(text, path.name).data)) == []


BAD: list[dict[str, Any]] = [
    {"version": 1},
    {**SMALL, "version": 2},
    {**SMALL, "stack": "Not A Label"},
    {**SMALL, "certificats": {}},
    {**SMALL, "applications": {"Bad Label": {"domain": "a.net"}}},
    {
        **SMALL,
        "applications": {
            "a": {"domain": "a.net", "policies": [{"name": "p", "include": [{"certificat": {}}]}]}
        },
    },
    {**SMALL, "applications": {"a": {"domain": "a.net", "policies": [{"name": "p", "include": []}]}}},
    {**SMALL, "clients": {"a": {"key": "x"}}},
]


@pytest.mark.parametrize("data", BAD)
def test_what_the_model_refuses_the_schema_refuses(data: dict[str, Any]) -> None:
    """An editor underlines what the program would not take."""
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(ValueError, match="validation error"):
        Document.model_validate(data)


def test_the_short_forms_are_known_to_the_schema() -> None:
    """common_name: x, as people write it."""
    policy = {
        "name": "p",
        "include": [{"common_name": "x"}, {"ip": {"ip": "192.0.2.1"}}, {"certificate": {}}],
    }
    assert VALIDATOR.is_valid({**SMALL, "applications": {"a": {"domain": "a.net", "policies": [policy]}}})
