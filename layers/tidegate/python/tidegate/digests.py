"""Short names in place of texts that are long, secret, or chosen by clients."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode


def digest(*parts: str, size: int = 16) -> str:
    """Return a short, safe name for a tuple of strings: base64url without padding; `size` in bytes."""
    hashed = hashlib.blake2b(digest_size=size)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:%b" % (len(encoded), encoded))
    return urlsafe_b64encode(hashed.digest()).rstrip(b"=").decode()
