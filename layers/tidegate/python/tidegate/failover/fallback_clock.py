"""The fallback clock, by which DynamoDB's buckets refill: it runs only while the fleet is on the fallback.

The fleet shares one item, which holds the sum of all time that was bought. That sum is the time on the clock. For each
second that an environment spends on the fallback it buys its share: one Nth of a second, for a fleet of N. So the clock
runs at full speed if the whole fleet is on the fallback, and at a hundredth if one of a hundred has lost its line to
Redis. It stands still while Redis decides. Time is bought after it has passed, and all environments together buy no
more than has passed since the fleet came to the fallback. So the clock never gains on the wall clock, even if an
environment is wrong about the fleet's size.

An environment that comes to the fallback assumes one token at most in each bucket, since Redis may have given the rest.
"""

from __future__ import annotations

import random
from threading import Lock

from tidegate.background import Background
from tidegate.clock import Clock, Moment
from tidegate.decision import State
from tidegate.errors import StoreUnavailableError
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge
from tidegate.stores.dynamodb.client import Item, Written
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetCounter, FleetTable
from tidegate.stores.dynamodb.limits import number, whole
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer

# An environment, or a fleet, that is silent for so long isn't on the fallback. No single purchase covers more time.
SILENT_S = 15.0
# An older reading of the clock is renewed before a decision.
STALE_S = 5.0
BOUGHT_EVERY_S = 0.25
# Fleet-wide, of the thousand writes a second that one DynamoDB item takes.
WRITES_PER_S = 500
_REFUSED_EVERY_S = 0.02
# Some environments decide too rarely to buy their share when it is due. Unbought time older than this is lost: bought
# later, it would let the clock run faster than the wall clock for a while.
BEHIND_S = 2.0
_KEPT_S = 40 * 86_400


class FallbackClock:
    """Reads the fallback clock, and buys this environment's share of its time.

    Args:
        place: the table with the clock's item.
        clock: the reference clock.
        away: when this environment lost Redis.
        view, counter: the fleet's size, and its count in DynamoDB.
        background: buys time and counts the fleet while no request waits.
    """

    prefix = "fallback"

    def __init__(
        self,
        place: FleetTable,
        clock: Clock,
        away: OutageTimer,
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
        self._stay: Moment | None = None
        self._used_at = self._read_at = self._bought_until = self._tried_at = 0.0
        self._now_us = self._joined_us = self._at_us = 0

    def ready(self) -> None:
        """Make sure that the time is known; buying and counting go on in the background.

        Raises:
            StoreUnavailableError: the time can't be read.
        """
        now = self._clock.monotonic()
        with self._lock:
            # A single question that failed in Redis brings its environment here, too. That is a stay of its own.
            other = self._away.since is not None and self._stay != self._away.since
            if self._stay is None or other or now - self._used_at > SILENT_S:
                self._join(now)
            elif now - self._read_at > STALE_S:
                self._buy()
            self._used_at = now
        if now - self._tried_at >= self._every_s(BOUGHT_EVERY_S):
            self._background.submit("fallback-clock", self._buy_if_joined)
        if self._counter.due:
            self._background.submit("fleet", self._counter.beat)

    def warm(self) -> None:
        """Set the reference clock by one read, if no answer has: written times are compared across environments."""
        if isinstance(self._clock, ReferenceClock) and not self._clock.known:
            self._place.client.call("GetItem", TableName=self._place.table, Key=self._key)

    def left(self) -> None:
        """Forfeit the time that isn't bought yet, because the fallback failed or another store decides."""
        self._stay = None

    def now_us(self, charge: Charge) -> int:
        """Return the time by which a charge's limit is kept."""
        return self._now_us if isinstance(charge.rule, Bucket | Drain) else self._clock.wall_us()

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Return the charge with the use that must be assumed of its limit, given the stored state."""
        match charge.rule:
            case Bucket() as bucket:
                # The carried debt is by another clock, and never larger than this.
                least = self._joined_us + bucket.depth_us - bucket.interval_us - self._now_us
                return charge._replace(min_deficit_us=max(0, least))
            case Drain():
                return charge._replace(min_deficit_us=0) if state else charge
            case (Window() | WindowCounter() | Period()) as rule if not rule.knows(state, self._clock.wall_us()):
                stay, now_us = self._stay, self._clock.wall_us()
                # Units that aren't stored here can only have been charged in Redis, before it was lost.
                since_us = now_us if stay is None else stay.wall_us
                return charge._replace(known_counts=rule.evenly_used(state, now_us, since_us, charge.known))
            case _:
                return charge

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Buy the due time now, if a refused charge may then be admitted; return whether the clock moved."""
        if not isinstance(charge.rule, Bucket | Drain) or retry_after_us < 0:
            return False
        now, before = self._clock.monotonic(), self._now_us
        if now - self._tried_at < self._every_s(_REFUSED_EVERY_S):
            return False
        if self._due_us(now) < min(retry_after_us, charge.rule.interval_us):
            return False
        self._buy_if_joined()
        return self._now_us > before

    def _every_s(self, least_s: float) -> float:
        return max(least_s, self._view.fleet.environments / WRITES_PER_S)

    def _due_us(self, now: float) -> int:
        return int(min(SILENT_S, now - self._bought_until) * 1_000_000) // self._view.fleet.environments

    def _buy_if_joined(self) -> None:
        with self._lock:
            if self._stay is not None:
                self._buy()

    def _join(self, now: float) -> None:
        """Read the clock; the first environment after a silence begins the fleet's stay, and time counts from now."""
        self._stay = None
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
        self._read_clock(written.item)
        self._joined_us, self._bought_until = self._now_us, now
        # Environments that came at the same moment must not write at the same moment. A small fleet's may: else who is
        # well below his limit would be refused for as long as no time is bought.
        spread_s = random.random() * self._every_s(0)  # noqa: S311  guards nothing
        self._tried_at = now - max(spread_s, _REFUSED_EVERY_S)
        self._away.began(wall - _number(written.item, "began"))
        self._stay = self._away.since or Moment(now, self._clock.wall_us())

    def _buy(self) -> None:
        """Buy this environment's share of the time since its last purchase, up to what the fleet hasn't bought yet."""
        now, wall = self._clock.monotonic(), self._clock.wall_us()
        self._tried_at = now
        # If the wall clock was put back, less time is left to buy than has passed.
        due_us = min(self._due_us(now), max(0, wall - self._at_us))
        behind_us = wall - int(BEHIND_S * 1_000_000)
        latest_us, lost_us = wall - due_us, behind_us - due_us
        written = self._write_purchase(
            "#at + :due", "#at >= :lost AND #at <= :latest", due_us, latest_us, lost_us, wall
        )
        at = _number(written.item, "at") if written.item else lost_us
        if not written.done and at < min(latest_us, lost_us):
            written = self._write_purchase(
                ":behind", "#at < :lost AND #at <= :latest", due_us, latest_us, lost_us, wall
            )
        if not written.item:  # the item was deleted
            self._stay = None
            return
        if written.done:
            self._bought_until = now
        self._read_clock(written.item)

    def _write_purchase(
        self, moved_to: str, condition: str, due_us: int, latest_us: int, lost_us: int, wall_us: int
    ) -> Written:
        """Write a purchase on a condition: add the due time, and move the moment up to which time is bought."""
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

    def _read_clock(self, item: Item) -> None:
        self._now_us, self._at_us = max(self._now_us, _number(item, "acc")), _number(item, "at")
        self._read_at = self._clock.monotonic()


def _number(item: Item, name: str) -> int:
    """Read a number of the clock's item.

    A damaged item isn't mended: a clock that began anew would lie behind every bucket's debt.

    Raises:
        StoreUnavailableError: the number can't be read.
    """
    number = whole(item.get(name, {}))
    if number is None:
        raise StoreUnavailableError("dynamodb", "unreadable", f"the fallback's clock has no {name}")
    return number
