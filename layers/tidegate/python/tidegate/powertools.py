"""Powertools for AWS Lambda: `@idempotent` and `@idempotent_function` on Tidegate's fenced claims.

    layer = TidegatePersistenceLayer()

    @idempotent(persistence_store=layer)
    def handler(event, context): ...

Powertools decides when a record is put, completed or deleted. Here that means to take, complete or release a claim.
Redis is asked first for a response that was kept before. Only the claim store decides whether a function may run.
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

try:
    from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer, IdempotencyConfig
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tidegate.powertools needs Powertools: pip install 'tidegate[lambda]'", name=missing.name
    ) from missing
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord

from tidegate.compose import compose
from tidegate.digests import digest
from tidegate.environment import Environment
from tidegate.errors import ConfigurationError, StoreUnavailableError, TidegateError
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.protocol import record_of
from tidegate.idempotency.renewal import SKEW_MARGIN_MS
from tidegate.messages import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
    Unreadable,
)
from tidegate.runtime import on_managed_instances
from tidegate.service_name import UNNAMED
from tidegate.settings import Settings
from tidegate.web.stored_response import StoredResponse

# Python's default recursion limit bounds how deep runs can be nested in one thread.
_DEEPEST_NESTING = 1000
_EXPIRES = b"expires-at"
_UNREADABLE = "what is kept of the response can't be read"


class ClaimSupersededError(TidegateError):
    """This run outlived its claim: another run has taken over, whose response is kept.

    It is the `__cause__` of the `IdempotencyPersistenceLayerError` that Powertools raises.
    """


class ResponseNotKeptError(TidegateError):
    """The function ran, but its response was too large to be kept, or can't be read any more. It isn't run again.

    It is the `__cause__` of the `IdempotencyPersistenceLayerError` that Powertools raises.
    """


class Replays(Protocol):
    """A store with copies of kept responses: `RedisStore`, or `FailoverStore`, which has a breaker."""

    def admit(self, question: Question) -> Answer:
        """Look for the claim's response; it is never asked to hold a claim."""

    def settle(self, settlement: Settlement) -> bool:
        """Keep a copy of a response."""

    def close(self) -> None:
        """Close the connections; they are opened again when needed."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The claim of a run that hasn't ended."""

    key: str
    request: ClaimRequest


class _Thread(local):
    """One thread's state. Powertools keeps it on the layer, where threads and nested calls would overwrite it."""

    def __init__(self) -> None:
        self.function_name = ""
        self.payload_hash = ""
        self.held: deque[_Held] = deque(maxlen=_DEEPEST_NESTING)


class TidegatePersistenceLayer(BasePersistenceLayer):
    """Keeps Powertools' idempotency records as fenced claims; thread-safe.

    A run whose claim was taken over can neither complete nor delete its successor's record: Powertools raises
    `IdempotencyPersistenceLayerError` from `ClaimSupersededError`, and a retry gets the successor's response.

    Args:
        settings: the stores' settings; read from the `TIDEGATE_*` variables if None.
        claims: the claim store, in place of the settings' own.
        replays: with explicit `claims`, a store that is asked first for a kept response; None: only the claim store is
            asked.

    Raises:
        ConfigurationError: a setting is wrong, or there is no store for claims.
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
            replays = environment.stores if settings.uses_redis else None
        self._namespace = settings.namespace if settings else UNNAMED
        self._claims = claims
        self._replays = replays

    def close(self) -> None:
        """Close the connections to the store of replays; the next call opens new ones."""
        if self._replays is not None:
            self._replays.close()

    # ── state that Powertools keeps on the layer, made safe for threads and nested calls ────────────────────

    @property
    def function_name(self) -> str:
        """The function for which this thread was configured last."""
        return self._thread.function_name

    @function_name.setter
    def function_name(self, name: str) -> None:
        self._thread.function_name = name

    def configure(
        self, config: IdempotencyConfig, function_name: str | None = None, key_prefix: str | None = None
    ) -> None:
        """Keep the first configuration, as Powertools does, and set the function's name at each call."""
        with self._lock:  # Powertools sets its flag before it has read the configuration
            super().configure(config, function_name, key_prefix)

    def get_record(self, data: dict[str, Any]) -> DataRecord | None:
        """Return the record of a payload; Powertools asks only if the local cache has just lost it."""
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
            case Unreadable():
                raise ResponseNotKeptError(_UNREADABLE)
            case InProgress(retry_after_ms):
                raise IdempotencyItemAlreadyExistsError(old_data_record=_running(data_record, retry_after_ms))
            case Completed(record):
                known = _completed(data_record, record)
                self._save_to_cache(known)
                raise IdempotencyItemAlreadyExistsError(old_data_record=known)

    def _get_record(self, idempotency_key: str) -> DataRecord:
        asked = DataRecord(idempotency_key, payload_hash=self._thread.payload_hash)
        answer = self._claims.recall(self._request(asked))
        if answer is None:  # Powertools then puts the record again, which raises the right error
            raise IdempotencyItemNotFoundError
        return _completed(asked, answer.record)

    def _update_record(self, data_record: DataRecord) -> None:
        held = self._ended(data_record)
        if held is None:
            raise ClaimSupersededError("this run holds no claim")
        record = _stored(data_record)
        if not self._claims.complete(held.request, record):
            raise ClaimSupersededError("this run took longer than its claim stood; another one took over")
        # Only after the claim store has kept it: any other copy could contradict a later response.
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
            # Without a context it isn't known when the holder must be dead, nor on Managed Instances, which don't kill
            # a function at its timeout. Powertools waits as long then, too.
            hold_ms=lifetime_ms
            if ends_ms is None or on_managed_instances(os.environ)
            else max(0, ends_ms - _now_ms()) + SKEW_MARGIN_MS,
            lifetime_ms=lifetime_ms,
        )

    def _ask(self, request: ClaimRequest) -> ClaimAnswer:
        return self._recall(request) or self._claims.claim(request)

    def _recall(self, request: ClaimRequest) -> Completed | Mismatch | None:
        if self._replays is None:
            return None
        with suppress(StoreUnavailableError, ValueError):  # a copy that can't be read counts as none
            known = self._replays.admit(Question(_subject(request), claim=request)).claim
            if isinstance(known, Completed):
                StoredResponse.decode(known.record)
            if isinstance(known, Completed | Mismatch):
                return known
        return None

    def _copy(self, request: ClaimRequest, record: bytes) -> None:
        if self._replays is not None:
            with suppress(StoreUnavailableError):  # without the copy the claim store replays
                self._replays.settle(Settlement(_subject(request), request, record, fenced=False))

    def _ended(self, record: DataRecord) -> _Held | None:
        """Return the claim of the run that ends now, and give the record the key with which it began.

        Powertools makes the key anew from the function configured last, which may be a nested one. So the run is found
        by the payload's digest, which stays the same. Nested runs that Powertools didn't end are dropped, too.
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
    """Return a key's subject, which is its own, so that a cluster spreads the keys."""
    return request.id[:12]


def _stored(record: DataRecord) -> bytes:
    expires = str(record.expiry_timestamp).encode()
    return record_of(StoredResponse(200, ((_EXPIRES, expires),), record.response_data.encode()))


def _completed(asked: DataRecord, record: bytes) -> DataRecord:
    try:
        kept = StoredResponse.decode(record)
        data = None if kept.body is None else kept.body.decode()
        expires_s = 0 if data is None else int(dict(kept.headers)[_EXPIRES])
    except (KeyError, ValueError) as error:
        raise ResponseNotKeptError(_UNREADABLE) from error
    if data is None:
        raise ResponseNotKeptError("the response was too large to be kept")
    return DataRecord(
        asked.idempotency_key,
        STATUS_CONSTANTS["COMPLETED"],
        # The store keeps it still; in Powertools' whole seconds it would end a little earlier.
        expiry_timestamp=max(expires_s, _now_ms() // 1000),
        response_data=data,
        payload_hash=asked.payload_hash,
    )


def _running(asked: DataRecord, retry_after_ms: int) -> DataRecord:
    return DataRecord(
        asked.idempotency_key,
        STATUS_CONSTANTS["INPROGRESS"],
        in_progress_expiry_timestamp=_now_ms() + retry_after_ms,
        payload_hash=asked.payload_hash,
    )
