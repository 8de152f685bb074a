"""The same decisions behind a real nginx."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from emulator_kit import CURL, HOST, PATH, Pki, browsing, curl, emulating, save

if TYPE_CHECKING:
    from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
pytestmark = pytest.mark.skipif(not (NGINX and CURL), reason="nginx or curl is not installed")
URL = f"https://{HOST}{PATH}"


def _settled(ready: object, status: int) -> None:
    end = time.monotonic() + 10
    while curl(ready, URL).status != status:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_nginx_over_the_matrix(pki: Pki, tmp_path: Path) -> None:
    """Every kind of client certificate, over HTTP/1.1 and HTTP/2, as the embedded edge answers."""
    with emulating(edge="nginx") as api:
        ready = api.emulator.ready
        assert curl(ready, URL).status == 200
        api.certificate(pki)
        app = api.app()
        _settled(ready, 403)
        time.sleep(0.5)  # nginx's old workers are gone by then
        for version in ("--http1.1", "--http2"):
            got = {}
            for kind, (pair, _) in pki.matrix().items():
                done = curl(ready, URL, version, client=save(pair, tmp_path) if pair else None)
                assert done.code == 0
                got[kind] = done.status
            assert got == {kind: status for kind, (_, status) in pki.matrix().items()}
        denied = curl(ready, URL)
        assert f"cf-access-aud: {app['aud']}" in denied.head
        assert "server: cloudflare" in denied.head
        assert "cf-ray: " in denied.head
        spoof = curl(ready, URL, "-H", "X-Edge-Verify: SUCCESS", "-H", f"X-Edge-Sni: {HOST}")
        assert spoof.status == 403
        assert curl(ready, f"https://www.{HOST}/").status == 200


def test_nginx_tells_misdirected_requests(pki: Pki) -> None:
    """421 as the embedded edge, whichever of nginx and the decision says so."""
    with emulating(edge="nginx") as api:
        api.certificate(pki)
        api.app()
        _settled(api.emulator.ready, 403)
        time.sleep(0.5)
        with browsing(api.emulator.ready) as (browser, _):
            wrong = browser.get(URL, extensions={"sni_hostname": f"www.{HOST}"})
            assert wrong.status_code == 421


def test_nginx_ends_with_the_emulator() -> None:
    """The process and its folder are gone."""
    with emulating(edge="nginx") as api:
        process = api.emulator.do(lambda e: e.nginx._process if e.nginx else None)
        assert process is not None
        assert process.returncode is None
    assert process.returncode is not None
