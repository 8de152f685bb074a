"""Waivers put into a plan file of any style: the waivers are there, all else is as it was, to the byte."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import yaml

from cf_mtls.declare.added_waivers import BOM, waivers_text, with_waivers
from tests.conftest import Counted
from tests.planning.worlds import BUDGET

COUNT = 150 * BUDGET
ROW = {"address": "application/a.net/x", "reason": "r", "owner": "ana", "until": "2031-01-31",
       "finding": "166e44112233"}  # fmt: skip
ODD = {**ROW, "owner": 'o"ps: #1 \\ \u2028 \x7f \ufeff é \U0001f600', "finding": "123456789012"}
HEAD = "version: 1\nstack: s\n"
ONE = "- {address: a, reason: r, owner: o, until: 2030-01-01}"
LONG = "- address: a\n  reason: r\n  until: 2030-01-01\n  owner: "


def values(text: str) -> Any:
    """What any reader of YAML finds, every scalar as text."""
    return yaml.load(text, yaml.BaseLoader)  # noqa: S506 - the one that makes nothing but texts


def is_spliced(before: bytes, after: bytes) -> bool:
    """Whether all of the one is in the other, in order and in one piece but for one place."""
    head = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    tail = before[head:]
    return after.endswith(tail) and len(after) >= len(before)


def check(text: str, *rows: dict[str, str], mark: bytes = b"") -> str:
    """Put the rows in and compare; the new text."""
    before = mark + text.encode()
    made = with_waivers(before, rows)
    assert made is not None, text
    assert is_spliced(before, made), (text, made)
    after = made.removeprefix(mark).decode()
    assert values(after) in with_rows(text, list(rows)), after
    return after


def with_rows(text: str, rows: list[dict[str, str]]) -> list[Any]:
    """What may be found afterwards: the rows behind those that were there, or before them."""
    wanted = values(text)
    kept = list(wanted.get("waivers") or [])
    return [{**wanted, "waivers": listed} for listed in (kept + rows, rows + kept)]


STYLES = {
    "block": HEAD,
    "no newline at the end": HEAD.rstrip(),
    "comment at the end": HEAD + "# said last",
    "waivers first": f"waivers:\n{ONE}\n{HEAD}",
    "waivers first, indented": f"waivers:\n    {ONE}\n\n{HEAD}",
    "waivers in the middle": f"version: 1\nwaivers:\n  {ONE}  # known\n\n# the name\nstack: s\n",
    "waivers last, no newline": f"{HEAD}waivers:\n  {ONE}",
    "block items": f"{HEAD}waivers:\n{LONG}o  # his\n# more to come\n",
    "a text over lines last": f"{HEAD}waivers:\n{LONG}|\n    o\n",
    "a kept text over lines last": f"{HEAD}waivers:\n{LONG}|+\n    o\n\n\n",
    "a text over lines without end": f"{HEAD}waivers:\n{LONG}|\n    o",
    "a folded text last": f"{HEAD}waivers:\n{LONG}>-\n    o\n    p\n\n",
    "a quoted text over lines": f"{HEAD}waivers:\n{LONG}'o\n\n    p'\n",
    "a nested key of that name": f"{HEAD}applications:\n  waivers: {{domain: a.net}}\n",
    "a block scalar ends the file": "version: 1\nstack: |-\n  s",
    "a block scalar without end ends the file": "version: 1\nstack: |\n  s",
    "quoted key": f"{HEAD}'waivers':\n{ONE}\n",
    "explicit key": f"{HEAD}? waivers\n: {ONE}\n",
    "empty list": f"waivers: []\n{HEAD}",
    "empty list, spaced": f"{HEAD}waivers: [ ] # none\n",
    "empty list over lines": f"{HEAD}waivers: [ # none\n  ]\n",
    "flow list": f"{HEAD}waivers: [{ONE[2:]}]\n",
    "flow list over lines": f"{HEAD}waivers: [\n  {ONE[2:]},  # known\n  ]\n",
    "document markers": f"%YAML 1.2\n---\n{HEAD}...\n# said afterwards\n",
    "document end without newline": f"--- # one\n{HEAD}...",
    "all indented": "  version: 1\n  stack: s\n  # last\n",
    "braces": "{version: 1, stack: s}",
    "braces with a trailing comma": "{version: 1,\n stack: s, # the name\n}\n",
    "braces on one line, waivers inside": f"{{waivers: [{ONE[2:]}], version: 1, stack: s}}\n",
    "JSON": json.dumps({"version": 1, "stack": "s"}),
    "JSON over lines": json.dumps({"version": 1, "stack": "s", "waivers": []}, indent=4),
    "JSON with waivers": json.dumps({"version": 1, "waivers": [ROW], "stack": "s"}, indent=2),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_waivers_go_into_a_file_of_any_style(style: str, end: str) -> None:
    """Once, and once more into what came out; JSON stays JSON, its line ends are the file's."""
    text = STYLES[style].replace("\n", end)
    after = check(check(text, ROW), ODD, ROW, mark=BOM)
    assert end == "\n" or "\n" not in after.replace("\r\n", "")
    if style.startswith("JSON"):
        json.loads(after)


def test_a_comment_stays_with_what_it_stands_above() -> None:
    """Behind the last waiver and its own comment, before the one about what follows."""
    after = check(STYLES["waivers in the middle"], ROW)
    assert after.index("# known") < after.index("ana") < after.index("# the name")


REFUSED = {
    "no list": f"{HEAD}waivers: x\n",
    "null": f"{HEAD}waivers:\n",
    "not valid": f"{HEAD}colour: red\n",
    "not YAML": f"{HEAD}waivers: [\n",
    "two documents": f"{HEAD}---\n{HEAD}",
    "an alias": f"{HEAD}waivers: &a []\n",
    "written twice": f"{HEAD}waivers: []\nwaivers: []\n",
    "empty": "",
    "tabs, which this reader of YAML does not take": '{"version": 1,\n\t"stack": "s"}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_plan_file_is_left_alone(text: str) -> None:
    """Nothing is guessed about a file that is not valid."""
    assert with_waivers(text.encode(), [ROW]) is None
    assert with_waivers(text.encode("utf-16"), [ROW]) is None


def test_a_waiver_that_no_plan_file_takes_is_not_put_in() -> None:
    """A member that is no member, a day that is none."""
    for row in ({**ROW, "until": "soon"}, {**ROW, "colour": "red"}, {**ROW, "finding": "x"}):
        assert with_waivers(HEAD.encode(), [row]) is None


def test_the_text_to_paste_reads_as_the_rows() -> None:
    """Below a `waivers:` line."""
    assert values("waivers:\n" + waivers_text([ROW, ODD])) == {"waivers": [ROW, ODD]}


# Any style


def a_comment(random: Random) -> str:
    return random.choice(["", "", "", "  # why: {[\"'", " #"])


def a_text(random: Random, margin: str, *, plain: bool = False) -> str:
    """A scalar in one of its spellings."""
    words = random.choice(["o", "two words", "a: b", "#1", "- x", "yes it is", "é", "it's", 'say "x"', "{a}"])
    spellings: list[Callable[[], str]] = [
        lambda: json.dumps(words, ensure_ascii=random.random() < 0.5),
        lambda: "'" + words.replace("'", "''") + "'",
    ]
    if not plain:
        spellings += [
            lambda: (
                f"{random.choice('|>')}{random.choice(['', '-', '+', '2'])}\n{margin}  {words}\n"
                + random.choice(["", "\n", f"{margin}  more\n", "\n\n"])
            ),
            lambda: f'"{words[:1]}x\n\n{margin}  y"',
        ]
    return random.choice(spellings)()


def a_waiver(random: Random, margin: str) -> str:
    """An item of a block sequence."""
    if random.random() < 0.3:
        return f"{margin}- {braces(random)}{a_comment(random)}\n"
    rows = [("address", "application/a.net"), ("reason", a_text(random, margin + "  ")), ("until", "2030-01-01"),
            ("owner", a_text(random, margin + "  "))]  # fmt: skip
    random.shuffle(rows)
    found = ""
    for number, (name, value) in enumerate(rows):
        more = "" if "\n" in value else a_comment(random)
        found += f"{margin}{'  ' if number else '- '}{name}:{random.choice([' ', '   '])}{value}{more}"
        found += "" if found.endswith("\n") else "\n"
        found += random.choice(["", "", "\n"])
    return found


def braces(random: Random) -> str:
    wide = random.choice(["", " "])
    return (
        f"{{{wide}address: a, reason: {a_text(random, '', plain=True)}, owner: 'o', until: 2030-01-01{wide}}}"
    )


def some_waivers(random: Random, margin: str) -> str:
    """The key with its list."""
    key = random.choice(["waivers", "waivers", '"waivers"', "'waivers'"])
    match random.randrange(3):
        case 0:
            items = [braces(random) for _ in range(random.randint(0, 2))]
            gap = random.choice([", ", f",\n{margin}   "])
            tail = random.choice(["", " ", ","]) if items else ""
            return f"{margin}{key}: [{gap.join(items)}{tail}]{a_comment(random)}\n"
        case 1:
            deeper = margin + random.choice(["", "  ", "    "])
            items = [a_waiver(random, deeper) for _ in range(random.randint(1, 3))]
            return f"{margin}{key}:{a_comment(random)}\n{''.join(items)}"
        case _:
            return ""


def a_block_file(random: Random) -> str:
    margin = random.choice(["", "", "", "  "])
    stack = random.choice(["s", '"s"', f"|-\n{margin}  s"])
    parts = [
        f"{margin}version: 1{a_comment(random)}\n",
        f"{margin}stack: {stack}\n",
        some_waivers(random, margin),
        f"{margin}applications:\n{margin}  waivers: {{domain: a.net}}{a_comment(random)}\n",
        random.choice(["", f"{margin}removed: []\n"]),
    ]
    random.shuffle(parts)
    text = ""
    for part in parts:
        text += random.choice(["", "", "\n", f"{margin}# about: what follows\n"]) + part
    text = random.choice(["", "", "---\n", "# first\n---\n", "%YAML 1.1\n---\n"]) + text
    text += random.choice(["", "", "\n", "# last", "...\n", "...\n# after\n"])
    return text.rstrip("\n") if random.random() < 0.2 else text


def a_flow_file(random: Random) -> str:
    waivers = [{**ROW, "reason": "r"}][: random.randint(0, 1)]
    data = {"version": 1, "stack": "s", **({"waivers": waivers} if random.random() < 0.6 else {})}
    items = list(data.items())
    random.shuffle(items)
    text = json.dumps(dict(items), indent=random.choice([None, 2, 4]))
    if random.random() < 0.3:
        text = (
            text.replace('"', "") if "\n" not in text and not waivers else text.replace("\n}", ",  # end\n}")
        )
    return text + random.choice(["", "\n"])


def test_nothing_else_changes_in_any_style(counted: Counted) -> None:
    """Of random plan files none is broken: the waivers are there and every other byte, or it is left alone."""
    done: Counter[str] = Counter()
    for seed in range(COUNT):
        random = Random(seed)
        text = random.choice([a_block_file, a_block_file, a_flow_file])(random)
        text = text.replace("\n", random.choice(["\n", "\n", "\r\n"]))
        before = random.choice([b"", BOM]) + text.encode()
        rows = random.choice([[ROW], [ODD], [ROW, ODD]])
        made = with_waivers(before, rows)
        if made is None:
            done["left alone"] += 1
            continue
        done["written"] += 1
        assert is_spliced(before, made), (seed, text)
        assert values(made.removeprefix(BOM).decode()) in with_rows(text, rows), (seed, text)
    counted(f"{COUNT} plan files: {done['written']} written, {done['left alone']} left alone, 0 broken")
    assert done["left alone"] == 0
