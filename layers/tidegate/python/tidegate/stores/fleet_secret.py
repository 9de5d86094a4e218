"""A secret that the fleet's environments share: it keys the order in which a shortage refuses principals.

Without it a client could compute which principals are refused next, and take another name.
"""

from __future__ import annotations

import os
from hashlib import blake2b

_BYTES = 16


class FleetSecret:
    """This environment's copy of the secret.

    Args:
        configured: the secret from the settings, the same in all environments. If it is empty, Redis keeps one for the
            fleet, and until this environment has read that it uses a random one of its own.
    """

    def __init__(self, configured: str = "") -> None:
        self._given = bool(configured)
        if configured:
            self.value = blake2b(configured.encode(), digest_size=_BYTES, person=b"tidegate shed").digest()
        else:
            self.value = os.urandom(_BYTES)

    @property
    def offered(self) -> bytes:
        """The secret to offer to Redis, if Redis has none yet; empty if the secret is configured."""
        return b"" if self._given else self.value

    def heard(self, value: bytes) -> None:
        """Note the secret that Redis keeps for the fleet."""
        if value and not self._given:
            self.value = value[:64]  # the longest key that BLAKE2b takes: Redis' data isn't trusted
