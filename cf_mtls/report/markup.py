"""Text into HTML: everything that was not written here is escaped on its way in.

Rules of this file:
- `text` for words, `element` for structure; nothing else makes a tag out of data.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def text(words: str) -> str:
    """The words, harmless and escaped; they may stand in an attribute too."""
    return escape(harmless(words), quote=True)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table with a caption; cells are HTML, `<th`/`<td` of their own or plain. kind: its class."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    named = f' class="{kind}"' if kind else ""
    return (
        f'<div class="wide"><table{named}><caption>{caption}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: str) -> str:
    return cell if cell.startswith(("<td", "<th")) else f"<td>{cell}</td>"


def section(title: str, body: str, anchor: str = "", level: int = 2) -> str:
    """A section with its heading of this level, '' when there is nothing in it."""
    at = f' id="{anchor}"' if anchor else ""
    return f"<section{at}><h{level}>{title}</h{level}>{body}</section>" if body else ""
