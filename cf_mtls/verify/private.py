"""A client's key as a file, because TLS libraries and curl take paths: for its owner alone, and only as long as needed.

Rules of this file:
- On Linux it lives in memory and never touches a disk; elsewhere it is a 0600 file in a folder of its own.
- It is gone when the block ends, however it ends.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.pki.identity import Identity


@contextmanager
def private(identity: Identity) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The path of one PEM file with certificate, issuers and key, and the descriptors that a child must inherit."""
    content = (identity.certificate_pem + identity.key_pem).encode("ascii")
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cf-mtls", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="cf-mtls-") as folder:
        path = Path(folder) / "client.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield str(path), ()
