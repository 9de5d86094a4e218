"""The issuer's keys, kept between invocations and fetched again when one is unknown or an hour is over."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from functions.authorizer.issuer import IssuerError, PublicKey, published
from functions.authorizer.log_line import say

# What an invocation waits for a fetch, which goes on after it: the issuer may send its answers as slowly as it likes.
_PATIENCE_S = 6.0
# A flood of unknown keys, which anybody can make up, causes one fetch in this time; so does an issuer that is down.
_EVERY_S = 30.0
_AFTER_FAILURE_S = 2.0
_KEPT_S = 3600.0


class KeysUnknownError(Exception):
    """No keys are known, so that nothing can be said of any token."""


class KeySet:
    """The keys of an issuer. Those that are known are used for as long as it gives no others.

    Args:
        issuer: its URL.
        clock: seconds that only ever grow.
    """

    def __init__(self, issuer: str, clock: Callable[[], float] = monotonic) -> None:
        self._issuer, self._clock = issuer, clock
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched_at = 0.0
        self._tried_at: float | None = None

    def key_of(self, name: str | None) -> PublicKey | None:
        """Return the key of that name, or the only one for a token that names none; None if there is no such key.

        Raises:
            KeysUnknownError: no keys are known, and the issuer gives none.
        """
        now = self._clock()
        found = self._find(name)
        if found is None or now - self._fetched_at > _KEPT_S:
            self._fetch_if_due(now)
            found = self._find(name)
        if not self._keys:
            raise KeysUnknownError(f"the keys of {self._issuer} aren't known")
        return found

    def _find(self, name: str | None) -> PublicKey | None:
        if name is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.name == name), None)

    def _fetch_if_due(self, now: float) -> None:
        pause_s = _EVERY_S if self._keys else _AFTER_FAILURE_S
        if self._tried_at is not None and now - self._tried_at < pause_s:
            return
        self._tried_at = now
        done = Event()
        Thread(target=self._fetch, args=(now, done), name="tidegate-keys", daemon=True).start()
        done.wait(_PATIENCE_S)

    def _fetch(self, now: float, done: Event) -> None:
        try:
            self._keys, self._fetched_at = published(self._issuer), now
        except IssuerError as error:
            say("the issuer's keys can't be fetched", reason=str(error))
        finally:
            done.set()
