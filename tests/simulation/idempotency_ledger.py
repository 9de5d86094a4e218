"""What has to hold, whatever happens: the invariants, checked at every write, every run and every answer.

Times are the world's true time. An environment's clock may be off by `SKEW_MS`, so what some clock of the fleet
may rightly call over is judged by the fastest.
"""

from dataclasses import dataclass, field
from typing import Literal

from tests.simulation.idempotency_expressions import Item
from tidegate.web.stored_response import StoredResponse

SKEW_MS = 5_000
INVOCATION_MS = 10_000
LONGEST_CALL_MS = 200_000
NOBODY = {"S": "-"}

Route = Literal["fenced", "limited", "unfenced", "brief", "quick"]


class ViolationError(AssertionError):
    """An invariant doesn't hold."""


@dataclass(frozen=True)
class Heard:
    """An answer as the client sees it, without what differs from answer to answer by design."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    replayed: bool
    retry_after_s: int

    @property
    def comes_again(self) -> bool:
        """Whether it says that nothing was settled and to ask again."""
        busy = b"request-in-progress" in self.body or b"claim-superseded" in self.body
        return self.status in {429, 503} or (self.status == 409 and busy)

    @property
    def label(self) -> str:
        """How it is counted."""
        for word in ("request-in-progress", "claim-superseded", "sold-out"):
            if word.encode() in self.body:
                return f"{self.status} {word}{' replayed' if self.replayed else ''}"
        return f"{self.status}{' replayed' if self.replayed else ''}"

    @property
    def content(self) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
        return self.status, self.headers, self.body


@dataclass
class Run:
    """One run of a handler."""

    number: int
    asked_ms: int
    attempt: str
    raised: bool = False
    declined: bool = False  # answered 503: nothing was done, and the claim is given up


@dataclass
class Key:
    """One idempotency key and everything that is known of it."""

    name: str
    route: Route
    asked: bool = False
    runs: list[Run] = field(default_factory=list)
    effects: int = 0
    accepted: bytes | None = None  # the 2xx that a client has heard, of a fenced handler
    stored: StoredResponse | None = None
    stored_until_ms: int = 0
    outlived: list[tuple[int, StoredResponse]] = field(default_factory=list)  # of earlier lifetimes, and until when
    final: Heard | None = None
    claim_pk: str | None = None

    @property
    def guarded(self) -> bool:
        """Whether its claims are DynamoDB's; what Redis alone holds may be lost, and the handler run again."""
        return self.route != "quick"

    @property
    def fenced(self) -> bool:
        return self.route in {"fenced", "limited"}

    def settled(self, now_ms: int) -> bool:
        """Whether an answer is stored that no clock of the fleet may call expired."""
        return self.stored is not None and now_ms + SKEW_MS < self.stored_until_ms


class Ledger:
    """Keeps the books of all keys, and raises `ViolationError` when they don't balance."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.by_claim: dict[str, Key] = {}

    # ── every write to a claim ──────────────────────────────────────────────────────────────────────────────

    def watch(self, pk: str, before: Item | None, after: Item | None) -> None:
        if not pk.startswith("claim#"):
            return
        if before is not None:
            self._guard_predecessor(pk, before, after)
        if after is not None and after["state"]["S"] == "completed":
            self._stored(pk, before, after)

    def _guard_predecessor(self, pk: str, before: Item, after: Item | None) -> None:
        if int(before["expires_at"]["N"]) * 1000 <= self.now_ms + SKEW_MS:
            return
        if before["state"]["S"] == "completed":
            _must(after is not None and _is(after, before, "record"), f"{pk}: a stored answer was changed")
            return
        if after is None or after["attempt_id"] == NOBODY or _is(after, before, "attempt_id"):
            return  # released, left or renewed
        left_ms = int(before["deadline_ms"]["N"]) - self.now_ms - SKEW_MS
        _must(left_ms <= 0, f"{pk}: taken over {left_ms} ms before any clock says that its hold has ended")

    def _stored(self, pk: str, before: Item | None, after: Item) -> None:
        _must(before is not None and _is(after, before, "attempt_id"), f"{pk}: completed by one who doesn't hold it")
        key = self.by_claim.get(pk)
        if key is None or "record" not in after:
            return
        if key.stored is not None:
            key.outlived.append((key.stored_until_ms + LONGEST_CALL_MS, key.stored))
        key.stored = StoredResponse.decode(after["record"]["B"])
        key.stored_until_ms = int(after["expires_at"]["N"]) * 1000
        lost = key.accepted is not None and key.stored.body != key.accepted
        _must(not lost, f"{key.name}: a client was told {key.accepted!r}, and {key.stored.body!r} is stored")

    # ── every run and every effect ──────────────────────────────────────────────────────────────────────────

    def begin(self, key: Key, claim_pk: str, run: Run) -> None:
        _must(key.claim_pk in {None, claim_pk}, f"{key.name}: two claims for one key")
        key.claim_pk = claim_pk
        self.by_claim[claim_pk] = key
        if key.guarded:
            _must(not key.settled(self.now_ms), f"{key.name}: ran again after its answer was stored")
            for earlier in key.runs:
                self._check_overlap(key, earlier)
        key.runs.append(run)

    def _check_overlap(self, key: Key, earlier: Run) -> None:
        left_ms = earlier.asked_ms + INVOCATION_MS - self.now_ms
        _must(
            earlier.declined or left_ms <= 0,
            f"{key.name}: another run began {left_ms} ms before the time of run {earlier.number} was over",
        )

    def effect(self, key: Key) -> None:
        key.effects += 1
        _must(not key.fenced or key.effects == 1, f"{key.name}: {key.effects} effects")

    # ── every answer ────────────────────────────────────────────────────────────────────────────────────────

    def heard(self, key: Key, heard: Heard, asked_ms: int, own: Run | None, why: BaseException | None) -> None:
        raised = own is not None and own.raised
        documented = heard.status in {201, 409, 429, 503} or (heard.status == 500 and (raised or heard.replayed))
        _must(documented, f"{key.name}: answered {heard.status} {heard.body!r} because of {why!r}")
        _must(heard.comes_again or not heard.retry_after_s, f"{key.name}: a final answer says to come again")
        if heard.comes_again or not key.guarded:
            return
        if key.settled(self.now_ms):
            self._check_stored(key, heard, asked_ms)
        if key.fenced:
            self._heard_of_effect(key, heard)

    def _check_stored(self, key: Key, heard: Heard, asked_ms: int) -> None:
        """An answer is what is stored, or was when it was asked for.

        Redis counts a copy's lifetime from when it got it: later than the original's by what the calls took.
        """
        right = [key.stored, *(one for until_ms, one in key.outlived if asked_ms < until_ms)]
        stored = [(one.status, one.headers, one.body) for one in right if one is not None]
        _must(heard.content in stored, f"{key.name}: answered {heard.content}, but {stored} is stored")

    def _heard_of_effect(self, key: Key, heard: Heard) -> None:
        if key.accepted is not None:
            _must(heard.body == key.accepted, f"{key.name}: {key.accepted!r} was answered, and now {heard.body!r}")
        if heard.status == 201:
            key.accepted = heard.body
            _must(key.effects == 1, f"{key.name}: answered 201 for {key.effects} effects")


def _is(after: Item, before: Item, attribute: str) -> bool:
    return after.get(attribute) == before.get(attribute)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ViolationError(otherwise)
