"""Powertools for AWS Lambda: `@idempotent` and `@idempotent_function` on Tidegate's fenced claims.

    layer = TidegatePersistenceLayer()

    @idempotent(persistence_store=layer)
    def handler(event, context): ...

Powertools decides when a record is put, completed or deleted; each of these becomes a claim's here. Redis is asked
first for an answer that was given before; whether a function may run is decided by the claim store alone.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock, local
from typing import Any, Protocol

from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer, IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord

from tidegate.errors import ConfigurationError, StoreUnavailableError, TidegateError
from tidegate.identity import digest
from tidegate.lifecycle import Environment, compose
from tidegate.mechanisms.idempotency import record_of
from tidegate.mechanisms.renewal import SKEW_MARGIN_MS
from tidegate.question import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
)
from tidegate.record import StoredResponse
from tidegate.settings import Settings
from tidegate.stores.base import ClaimStore

# Environments' clocks differ: nobody takes over while the holder may live by its own.
# More runs can't be nested in one thread than Python's recursion limit lets in.
_DEEPEST_NESTING = 1000


class ClaimSupersededError(TidegateError):
    """This run outlived its claim: another one has taken over, and its response is the one that is kept.

    The `__cause__` of the `IdempotencyPersistenceLayerError` that Powertools raises.
    """


class ResponseNotKeptError(TidegateError):
    """The function ran, with a response too large to be kept; it isn't run again.

    The `__cause__` of the `IdempotencyPersistenceLayerError` that Powertools raises.
    """


class Replays(Protocol):
    """What knows answers that were given before: `RedisStore`, or `FailoverStore`, which has a breaker."""

    def admit(self, question: Question) -> Answer:
        """Look for the claim's answer; never asked to hold a claim."""

    def settle(self, settlement: Settlement) -> bool:
        """Keep a copy of an answer."""

    def close(self) -> None:
        """Let go of connections; they are opened again when needed."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A claim of a run that hasn't ended."""

    key: str
    request: ClaimRequest


class _Thread(local):
    """What one thread is at: Powertools keeps this on the layer, where threads and nested calls would mix it up."""

    def __init__(self) -> None:
        self.function_name = ""
        self.payload_hash = ""
        self.held: deque[_Held] = deque(maxlen=_DEEPEST_NESTING)


class TidegatePersistenceLayer(BasePersistenceLayer):
    """Keeps Powertools' idempotency records as fenced claims; thread-safe.

    A run whose claim was taken over can neither complete nor delete its successor's record: Powertools raises
    `IdempotencyPersistenceLayerError` from `ClaimSupersededError`, and a retry gets the successor's response.

    Args:
        settings: where the stores are; read from the `TIDEGATE_*` variables if None.
        claims: the store that guards effects, instead of the one that the settings name.
        replays: beside explicit `claims`, what is asked first for a known answer; None: the claim store alone is.

    Raises:
        ConfigurationError: a setting is wrong, or names no store that can guard effects.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        claims: ClaimStore | None = None,
        replays: Replays | None = None,
    ) -> None:
        self._thread = _Thread()
        self._lock = RLock()
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools leaves it untyped
        if claims is None:
            settings = settings or Settings.from_environ(os.environ)
            environment = compose(settings)
            claims = _guarding(environment)
            replays = environment.stores if settings.redis_url else None
        self._namespace = (settings or Settings()).namespace
        self._claims = claims
        self._replays = replays

    def close(self) -> None:
        """Close the connections that replays are asked on; the next call opens new ones."""
        if self._replays is not None:
            self._replays.close()

    # ── what Powertools keeps on the layer, made safe for threads and nested calls ──────────────────────────

    @property
    def function_name(self) -> str:
        """The function that this thread was configured for last."""
        return self._thread.function_name

    @function_name.setter
    def function_name(self, name: str) -> None:
        self._thread.function_name = name

    def configure(
        self, config: IdempotencyConfig, function_name: str | None = None, key_prefix: str | None = None
    ) -> None:
        """Take the first configuration for good, as Powertools does, and the function's name at each call."""
        with self._lock:  # Powertools says that it is configured before it is
            super().configure(config, function_name, key_prefix)

    def get_record(self, data: dict[str, Any]) -> DataRecord | None:
        """Return what is known of a payload; Powertools asks only where the local cache just lost it."""
        self._thread.payload_hash = self._get_hashed_payload(data)
        return super().get_record(data)

    def _save_to_cache(self, data_record: DataRecord) -> None:
        with self._lock:
            super()._save_to_cache(data_record)

    def _retrieve_from_cache(self, idempotency_key: str) -> DataRecord | None:
        with self._lock:
            known: DataRecord | None = super()._retrieve_from_cache(idempotency_key)
            return known

    def _delete_from_cache(self, idempotency_key: str) -> None:
        with self._lock:
            super()._delete_from_cache(idempotency_key)

    # ── records as claims ───────────────────────────────────────────────────────────────────────────────────

    def _put_record(self, data_record: DataRecord) -> None:
        request = self._request(data_record)
        match self._ask(request):
            case Granted():
                self._thread.held.append(_Held(data_record.idempotency_key, request))
            case Mismatch():
                raise IdempotencyValidationError("Payload does not match stored record for this event key")
            case InProgress(retry_after_ms):
                raise IdempotencyItemAlreadyExistsError(old_data_record=_running(data_record, retry_after_ms))
            case Completed(record):
                known = _completed(data_record, record)
                self._save_to_cache(known)
                raise IdempotencyItemAlreadyExistsError(old_data_record=known)

    def _get_record(self, idempotency_key: str) -> DataRecord:
        asked = DataRecord(idempotency_key, payload_hash=self._thread.payload_hash)
        answer = self._claims.recall(self._request(asked))
        if answer is None:  # Powertools then puts anew, which says what is the matter
            raise IdempotencyItemNotFoundError
        return _completed(asked, answer.record)

    def _update_record(self, data_record: DataRecord) -> None:
        held = self._ended(data_record)
        if held is None:
            raise ClaimSupersededError("this run holds no claim")
        record = _stored(data_record)
        if not self._claims.complete(held.request, record):
            raise ClaimSupersededError("this run took longer than its claim stood; another one took over")
        # Only what the claim store is known to keep: a copy of anything else could go on against a later answer.
        self._copy(held.request, record)

    def _delete_record(self, data_record: DataRecord) -> None:
        held = self._ended(data_record)
        if held is not None:
            self._claims.release(held.request)

    # ── the stores ──────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, record: DataRecord) -> ClaimRequest:
        lifetime_ms = self.expires_after_seconds * 1000
        ends_ms = record.in_progress_expiry_timestamp
        return ClaimRequest(
            id=digest(self._namespace, "powertools", record.idempotency_key),
            fingerprint=record.payload_hash,
            attempt_id=uuid.uuid4().hex,
            # Without a context nobody knows when the holder is dead; Powertools then waits as long, too.
            hold_ms=lifetime_ms if ends_ms is None else max(0, ends_ms - _now_ms()) + SKEW_MARGIN_MS,
            lifetime_ms=lifetime_ms,
        )

    def _ask(self, request: ClaimRequest) -> ClaimAnswer:
        return self._recall(request) or self._claims.claim(request)

    def _recall(self, request: ClaimRequest) -> Completed | Mismatch | None:
        if self._replays is None:
            return None
        with suppress(StoreUnavailableError):
            known = self._replays.admit(Question(_subject(request), claim=request)).claim
            if isinstance(known, Completed | Mismatch):
                return known
        return None

    def _copy(self, request: ClaimRequest, record: bytes) -> None:
        if self._replays is not None:
            with suppress(StoreUnavailableError):  # where the copy is missing, the claim store replays
                self._replays.settle(Settlement(_subject(request), request, record, fenced=False))

    def _ended(self, record: DataRecord) -> _Held | None:
        """Return the claim of the run that ends now, and give the record the key that it began with.

        Powertools makes the key anew from the function configured last, which may be one called meanwhile: what
        stays the same is the payload's digest. A nested run that Powertools left unended is dropped with it.
        """
        held, wanted = self._thread.held, _payload_digest(record.idempotency_key)
        if not any(_payload_digest(one.key) == wanted for one in held):
            return None
        while _payload_digest((last := held.pop()).key) != wanted:
            pass
        record.idempotency_key = last.key
        return last


def _guarding(environment: Environment) -> ClaimStore:
    if environment.claims is None:
        raise ConfigurationError(
            "TIDEGATE_TABLE",
            "Redis alone can lose a claim, and a function would run twice; write the name of a DynamoDB table with "
            "the partition key pk",
        )
    return environment.claims


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _payload_digest(key: str) -> str:
    return key.rpartition("#")[2]


def _subject(request: ClaimRequest) -> str:
    """Each key is a subject of its own: they share nothing, and a cluster spreads them."""
    return request.id[:12]


def _stored(record: DataRecord) -> bytes:
    expires = str(record.expiry_timestamp).encode()
    return record_of(StoredResponse(200, ((b"expires-at", expires),), record.response_data.encode()))


def _completed(asked: DataRecord, record: bytes) -> DataRecord:
    kept = StoredResponse.decode(record)
    if kept.body is None:
        raise ResponseNotKeptError("the response was too large to be kept")
    [(_, expires)] = kept.headers
    return DataRecord(
        asked.idempotency_key,
        STATUS_CONSTANTS["COMPLETED"],
        # The store says that it lives; Powertools' own whole seconds end a little before the store's.
        expiry_timestamp=max(int(expires), _now_ms() // 1000),
        response_data=kept.body.decode(),
        payload_hash=asked.payload_hash,
    )


def _running(asked: DataRecord, retry_after_ms: int) -> DataRecord:
    return DataRecord(
        asked.idempotency_key,
        STATUS_CONSTANTS["INPROGRESS"],
        in_progress_expiry_timestamp=_now_ms() + retry_after_ms,
        payload_hash=asked.payload_hash,
    )
