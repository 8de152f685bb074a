"""One page in a real browser, in a process of its own: JSON on standard input, JSON on standard output.

Rules of this file:
- It is run as a file (`browser_probe` does so), because Playwright hands its whole environment to its driver and the
  driver to the browser: here it is a small one without any token. It imports nothing else of this program.
- The client's key comes by standard input and is handed to Playwright in memory.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any


def main() -> None:
    """Read what to load, write what was seen: `status`, `headers`, `picture` (base64), or `failure` in words."""
    json.dump(_seen(json.load(sys.stdin)), sys.stdout)


def _seen(wish: dict[str, Any]) -> dict[str, Any]:
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as driver:
            return _page(driver, wish)
    except Error as error:
        return {"failure": (error.message.splitlines() or ["the browser failed"])[0]}


def _page(driver: Any, wish: dict[str, Any]) -> dict[str, Any]:
    for certificate in wish["context"]["client_certificates"] or ():
        certificate |= {part: certificate[part].encode("ascii") for part in ("cert", "key")}
    browser = driver.chromium.launch(**wish["launch"])
    try:
        page = browser.new_context(**wish["context"]).new_page()
        answer = page.goto(wish["url"], timeout=wish["timeout_ms"], wait_until="load")
        if answer is None:
            return {"failure": "the browser got no answer"}
        first = _first(answer.request).response() or answer
        headers = [(h["name"], h["value"]) for h in first.headers_array()]
        picture = base64.b64encode(page.screenshot()).decode("ascii")
        return {"status": first.status, "headers": headers, "picture": picture}
    finally:
        browser.close()


def _first(request: Any) -> Any:
    """The request that a chain of redirects began with: where it led to is not ours to judge."""
    while request.redirected_from is not None:
        request = request.redirected_from
    return request


if __name__ == "__main__":
    main()
