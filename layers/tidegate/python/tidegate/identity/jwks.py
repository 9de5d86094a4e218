"""An issuer's public keys (RFC 7517): fetched on a thread, kept, and never waited for long by a request."""

from __future__ import annotations

import json
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from urllib.request import Request, urlopen

import jwt

from tidegate.errors import IdentityUnavailableError
from tidegate.forks import call_in_children
from tidegate.telemetry import logger

_FETCH_S = 3.0
# What a process' first request waits for keys that are under way.
_FIRST_S = 1.0
_LARGEST = 1 << 20
# A flood of unknown keys, which anybody can make up, causes one fetch in this time; so does an issuer that is down.
_EVERY_S = 30.0
_AFTER_FAILURE_S = 2.0
_KEPT_S = 3600.0


class KeySet:
    """The keys at a URL; thread-safe. The first fetch begins at once.

    Args:
        url: where they are.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._begin()
        call_in_children(self._begin)

    def key_of(self, name: str | None) -> Any:
        """Return the key of that name, or the only one for a token that names none; None if there is no such key.

        Raises:
            IdentityUnavailableError: no keys are known yet.
        """
        now = monotonic()
        if self._keys is None:
            self._fetch_if_due(now)
            self._first.wait(_FIRST_S)
            self._first.set()  # only one wait: an issuer that is down mustn't hold up the event loop again and again
        keys = self._keys
        if keys is None:
            raise IdentityUnavailableError("the issuer's keys aren't known yet")
        found = keys.get(name) if name is not None else next(iter(keys.values())) if len(keys) == 1 else None
        if found is None or now - self._fetched_at > _KEPT_S:
            self._fetch_if_due(now)
        return found

    def _begin(self) -> None:
        self._keys: dict[str | None, Any] | None = None
        self._fetched_at = 0.0
        self._tried_at = -_EVERY_S
        self._running = False
        self._lock = Lock()
        self._first = Event()
        self._fetch_if_due(monotonic())

    def _fetch_if_due(self, now: float) -> None:
        with self._lock:
            pause_s = _EVERY_S if self._keys is not None else _AFTER_FAILURE_S
            if self._running or now - self._tried_at < pause_s:
                return
            self._running, self._tried_at = True, now
        Thread(target=self._fetch, name="tidegate-jwks", daemon=True).start()

    def _fetch(self) -> None:
        try:
            with urlopen(Request(self._url), timeout=_FETCH_S) as answer:  # noqa: S310  https, or a test's own server
                published = json.loads(answer.read(_LARGEST))
            keys = jwt.PyJWKSet.from_dict(published).keys
            self._keys, self._fetched_at = {key.key_id: key for key in keys}, monotonic()
        except Exception as error:  # noqa: BLE001  whatever it is, the keys that are known stay
            logger().warning("an issuer's keys can't be fetched", extra={"url": self._url, "detail": repr(error)[:200]})
        finally:
            self._running = False
            self._first.set()
