"""A first plan file: one URL, one chain, one client at most.

Rules of this file:
- Pure. The text is one that a person would have written; each part says what it is for.
"""

from __future__ import annotations

from cf_mtls.bring.entries import slug
from cf_mtls.bring.yaml_out import flow, scalar
from cf_mtls.declare.schema import LINE
from cf_mtls.model.resources import host_of
from cf_mtls.quick import dataclass

_TEXT = """\
{line}
version: 1
stack: {stack}  # the ownership mark, unique in the account

certificates:  # trust: whose clients are let in, on which hostnames
  {label}-clients:
    chain: {chain}  # root and intermediates, any order
    associated_hostnames: {hosts}

applications:
  {label}:  # no policies: Service Auth, any valid certificate
    domain: {domain}
"""

_CLIENTS = """
clients:  # who verify sends; the key stays where it is; expect: allowed, refused, or {{URL: allowed}}
  {name}: {files}
"""


@dataclass(frozen=True, slots=True)
class First:
    """What a first plan file says. Paths are as the file shall name them; client and key are '' for none."""

    stack: str
    domain: str
    chain: str
    client: str = ""
    key: str = ""
    client_name: str = "client"


def domain_of(url: str) -> str:
    """What was typed as a URL, as an application's domain: without scheme and slash at the end."""
    return url.strip().removeprefix("https://").rstrip("/")


def text(first: First) -> str:
    """The file."""
    made = _TEXT.format(
        line=LINE,
        stack=scalar(first.stack),
        label=slug(first.stack, "first"),
        chain=scalar(first.chain),
        hosts=flow([host_of(first.domain)]),
        domain=scalar(first.domain),
    )
    if not first.client:
        return made
    files = flow({"certificate": first.client, "key": first.key})
    return made + _CLIENTS.format(name=first.client_name, files=files)
