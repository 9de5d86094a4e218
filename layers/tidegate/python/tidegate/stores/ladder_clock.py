"""The clock of the fallback's buckets: it goes only while the fleet is on the fallback.

Of each second that an environment spends on the fallback it buys its share, one of as many as there are environments,
on one item that the fleet has in common: what was bought in all is the time by which the buckets refill. So the clock
runs at full speed if the whole fleet is on the fallback, hardly at all if one of a hundred has lost its line to Redis,
and stands still while Redis decides. Time is bought after it has passed, and never more than has passed since the
fleet came: at most a second a second, whatever anybody believes of the fleet's size.

An environment that comes takes every bucket to hold one token at most: what a caller's burst was, Redis may have given.
"""

from __future__ import annotations

import random
from threading import Lock

from tidegate.algorithms.decision import State
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.quota import Period
from tidegate.algorithms.sliding_window import Window
from tidegate.algorithms.token_bucket import Bucket
from tidegate.clock import Clock
from tidegate.question import Charge
from tidegate.stores.away import Away
from tidegate.stores.aws import Item, Written
from tidegate.stores.background import Background
from tidegate.stores.debts import Moment
from tidegate.stores.dynamodb_charges import number
from tidegate.stores.dynamodb_fleet import FleetCounter, FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.reference_clock import ReferenceClock

# Nobody is on the fallback whom it hasn't heard for so long; nor is more than this bought at once.
SILENT_S = 15.0
# Who knows the clock no better than this asks before it decides.
STALE_S = 5.0
BOUGHT_EVERY_S = 0.25
# The item's share of the thousand writes a second that one item takes, fleet-wide.
WRITES_PER_S = 500
_REFUSED_EVERY_S = 0.05
# Time that nobody bought when it was due, because some of the fleet asked too rarely, is lost but for so much: bought
# later, it would let the clock run ahead of the wall's for a while.
BEHIND_S = 2.0
_KEPT_S = 40 * 86_400


class LadderClock:
    """Tells the time that the fleet has been on the fallback, and buys it.

    Args:
        place: where the fleet keeps it.
        clock: the reference clock.
        away: when this environment lost Redis.
        view, counter: the fleet's size.
        background: where time is bought off the requests' way.
    """

    prefix = "fallback"

    def __init__(
        self,
        place: FleetTable,
        clock: Clock,
        away: Away,
        view: FleetView,
        counter: FleetCounter,
        background: Background,
    ) -> None:
        self._place = place
        self._key = {"pk": {"S": f"ladder#{place.namespace}"}}
        self._clock = clock
        self._away = away
        self._view = view
        self._counter = counter
        self._background = background
        self._lock = Lock()
        self._stint: Moment | None = None
        self._asked_at = self._heard_at = self._bought_until = self._tried_at = 0.0
        self._now_us = self._came_us = self._at_us = 0

    def ready(self) -> None:
        """Know the time before a decision; buy and be counted behind it.

        Raises:
            StoreUnavailableError: the time isn't known.
        """
        now = self._clock.monotonic()
        with self._lock:
            if self._stint is None or self._stint != self._away.since or now - self._asked_at > SILENT_S:
                self._come(now)
            elif now - self._heard_at > STALE_S:
                self._buy()
            self._asked_at = now
        if now - self._tried_at >= self._every_s(BOUGHT_EVERY_S):
            self._background.submit("ladder", self._buy_alone)
        if self._counter.due:
            self._background.submit("fleet", self._counter.beat)

    def warm(self) -> None:
        """Learn what time it is, if no answer has told it yet: what is written is compared with others' times."""
        if isinstance(self._clock, ReferenceClock) and not self._clock.known:
            self._place.client.call("GetItem", TableName=self._place.table, Key=self._key)

    def left(self) -> None:
        """Forget the time that isn't bought: the fallback failed, or somebody else decides."""
        self._stint = None

    def now_us(self, charge: Charge) -> int:
        """Return the time by which a charge's limit is kept."""
        return self._now_us if isinstance(charge.rule, Bucket | Drain) else self._clock.wall_us()

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Return the charge with what must be assumed of its limit, given what is stored of it."""
        match charge.rule:
            case Bucket() as bucket:
                # What is carried along is of another clock, and no more than this.
                least = self._came_us + bucket.depth_us - bucket.interval_us - self._now_us
                return charge._replace(known_debt_us=max(0, least))
            case Drain():
                return charge._replace(known_debt_us=0) if state else charge
            case (Window() | Period()) as rule if not self._known(rule, state):
                return charge._replace(known_counts=rule.evenly_used(state, self._clock.wall_us(), charge.known))
            case _:
                return charge

    def _known(self, rule: Window | Period, state: State | None) -> bool:
        """Whether the fallback has counted in this window or the one before, or in this period."""
        if state is None:
            return False
        since = rule.start_us if isinstance(rule, Period) else self._clock.wall_us() // 1000 // rule.window_ms - 1
        return bool(state[0] >= since)

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Buy now what is due to this environment, if a refused charge may then be admitted."""
        if not isinstance(charge.rule, Bucket | Drain) or retry_after_us < 0:
            return False
        now, before = self._clock.monotonic(), self._now_us
        if now - self._tried_at < self._every_s(_REFUSED_EVERY_S):
            return False
        if self._due_us(now) < min(retry_after_us, charge.rule.interval_us):
            return False
        self._buy_alone()
        return self._now_us > before

    def _every_s(self, least_s: float) -> float:
        return max(least_s, self._view.fleet.environments / WRITES_PER_S)

    def _due_us(self, now: float) -> int:
        return int(min(SILENT_S, now - self._bought_until) * 1_000_000) // self._view.fleet.environments

    def _buy_alone(self) -> None:
        with self._lock:
            if self._stint is not None:
                self._buy()

    def _come(self, now: float) -> None:
        """Learn the time; if nobody else is here, the fleet comes with us, and time passes from now on."""
        self._stint = None
        self.warm()
        wall = self._clock.wall_us()
        written = self._place.client.write(
            "UpdateItem",
            TableName=self._place.table,
            Key=self._key,
            UpdateExpression="SET acc = if_not_exists(acc, :none), #at = :now, began = :now, seen = :now, "
            "expires_at = :expires",
            ConditionExpression="attribute_not_exists(seen) OR seen < :silent",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={
                ":none": number(0),
                ":now": number(wall),
                ":silent": number(wall - int(SILENT_S * 1_000_000)),
                ":expires": number(wall // 1_000_000 + _KEPT_S),
            },
            ReturnValues="ALL_NEW",
        )
        self._heard(written.item)
        self._came_us, self._bought_until = self._now_us, now
        # Who came together doesn't buy together.
        self._tried_at = now - random.random() * self._every_s(0)  # noqa: S311  guards nothing
        self._away.began(wall - int(written.item["began"]["N"]))
        self._stint = self._away.since

    def _buy(self) -> None:
        """Buy this environment's share of the time since it last did, as far as nobody else has bought it."""
        now, wall = self._clock.monotonic(), self._clock.wall_us()
        self._tried_at = now
        # More than there is can't be bought, and there is less than has passed if the clock was put back meanwhile.
        due_us = min(self._due_us(now), max(0, wall - self._at_us))
        behind_us = wall - int(BEHIND_S * 1_000_000)
        latest_us, lost_us = wall - due_us, behind_us - due_us
        written = self._bought("#at + :due", "#at >= :lost AND #at <= :latest", due_us, latest_us, lost_us, wall)
        at = int(written.item["at"]["N"]) if written.item else lost_us
        if not written.done and at < min(latest_us, lost_us):
            written = self._bought(":behind", "#at < :lost AND #at <= :latest", due_us, latest_us, lost_us, wall)
        if not written.item:  # somebody has deleted it
            self._stint = None
            return
        if written.done:
            self._bought_until = now
        self._heard(written.item)

    def _bought(
        self, moved_to: str, condition: str, due_us: int, latest_us: int, lost_us: int, wall_us: int
    ) -> Written:
        """Buy the time that is due, and move what is bought up to, on a condition."""
        values = {
            ":due": number(due_us),
            ":now": number(wall_us),
            ":latest": number(latest_us),
            ":lost": number(lost_us),
        }
        if moved_to == ":behind":
            values[moved_to] = number(lost_us + due_us)
        return self._place.client.write(
            "UpdateItem",
            TableName=self._place.table,
            Key=self._key,
            UpdateExpression=f"SET acc = acc + :due, #at = {moved_to}, seen = :now",
            ConditionExpression=condition,
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )

    def _heard(self, item: Item) -> None:
        self._now_us, self._at_us = max(self._now_us, int(item["acc"]["N"])), int(item["at"]["N"])
        self._heard_at = self._clock.monotonic()
