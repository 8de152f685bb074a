"""curl's --connect-to, read and followed as curl does."""

from __future__ import annotations

import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.verify.connect import parse, route


@pytest.mark.parametrize(
    ("texts", "asked", "goes_to"),
    [
        (["::127.0.0.1:8443"], ("jeann.net", 443), ("127.0.0.1", 8443)),
        (["jeann.net:443:127.0.0.1:8443"], ("JEANN.net", 443), ("127.0.0.1", 8443)),
        (["jeann.net:443:127.0.0.1:8443"], ("jeann.net", 444), ("jeann.net", 444)),
        (["other.net::127.0.0.1:8443"], ("jeann.net", 443), ("jeann.net", 443)),
        (["jeann.net::elsewhere.net:"], ("jeann.net", 443), ("elsewhere.net", 443)),
        (["jeann.net:::8443"], ("jeann.net", 443), ("jeann.net", 8443)),
        (["::[::1]:8443"], ("jeann.net", 443), ("::1", 8443)),
        (["a.net::1.1.1.1:1", "::2.2.2.2:2"], ("b.net", 443), ("2.2.2.2", 2)),
        ([], ("jeann.net", 443), ("jeann.net", 443)),
    ],
)
def test_a_connection_goes_where_curl_would_go(
    texts: list[str], asked: tuple[str, int], goes_to: tuple[str, int]
) -> None:
    """Empty on the left is any, empty on the right is as asked, the first match wins."""
    assert goes_to == route(tuple(map(parse, texts)), *asked)


@pytest.mark.parametrize(
    "text", ["", "a", "a:b:c", "::127.0.0.1:port", "::127.0.0.1:0", "::127.0.0.1:70000", "a:1:b:2:c"]
)
def test_any_other_form_is_a_usage_error(text: str) -> None:
    """Exit code 64, with the form to use."""
    with pytest.raises(Failure) as caught:
        parse(text)
    assert caught.value.exit_code is Exit.USAGE
