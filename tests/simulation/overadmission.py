"""Over-admission over the whole failover chain, simulated.

    python -m tests.simulation.overadmission --seed 1 --environments 10

Each scenario runs the library's own failover chain in every environment, over simulated stores. Clocks differ by up to
five seconds. One caller asks for four times its limit, others for a tenth of theirs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.overadmission_world import START_US, World, held, make
from tidegate.limits.token_bucket import Bucket

RATE_PER_S = 100
BUCKET = Bucket(1_000_000 // RATE_PER_S, burst=200)
GREEDY_PER_S = 4 * RATE_PER_S
MODEST = 4
MODEST_PER_S = RATE_PER_S / 10
LOST_S, BACK_S, END_S = 20.0, 320.0, 350.0
# The longest cut of one line, and the breaker's longest pause after it.
CUT_S = 6.2
# While a fleet finds its fallback, a hot key gets less: it begins without a burst.
BEGINNING_S = 2

Event = tuple[float, Callable[[World], None]]
Script = Callable[[World], Sequence[Event]]


def redis_out(world: World) -> Sequence[Event]:
    """Redis is gone for five minutes."""
    return [(LOST_S, _redis(up=False)), (BACK_S, _redis(up=True))]


def both_out(world: World) -> Sequence[Event]:
    """So is DynamoDB, all the time."""
    return [*redis_out(world), (LOST_S, _dynamodb(up=False)), (BACK_S + 10, _dynamodb(up=True))]


def one_after_the_other(world: World) -> Sequence[Event]:
    """DynamoDB is gone for the middle of Redis' five minutes."""
    return [*redis_out(world), (LOST_S + 100, _dynamodb(up=False)), (LOST_S + 200, _dynamodb(up=True))]


def flapping(world: World) -> Sequence[Event]:
    """Redis comes and goes at random, every 0.1 to 5 seconds."""
    events, at, up = list[Event](), LOST_S, False
    while at < BACK_S:
        events.append((at, _redis(up=up)))
        at, up = at + world.random.uniform(0.1, 5), not up
    return [*events, (BACK_S, _redis(up=True))]


def restart_empty(world: World) -> Sequence[Event]:
    """Redis comes back with nothing, three times: after five minutes, and twice within seconds."""

    def emptied(world: World) -> None:
        world.redis.restart_empty()

    return [*redis_out(world), (BACK_S, emptied), (BACK_S + 8, emptied), (BACK_S + 16, emptied)]


def sleepers(world: World) -> Sequence[Event]:
    """A third of the environments sleep through the outage, and are the first to ask Redis after it."""
    asleep = world.environments[: max(1, world.size // 3)]

    def sleep(_: World) -> None:
        for environment in asleep:
            environment.awake = False

    def wake(world: World) -> None:
        for environment in asleep:
            environment.awake = True
        for _ in range(2 * BUCKET.burst):
            world.ask(world.random.choice(asleep), "greedy")

    return [(LOST_S - 1, sleep), *redis_out(world), (BACK_S, wake)]


def lines_cut(world: World) -> Sequence[Event]:
    """One environment in ten loses its own line to Redis again and again; the others keep theirs."""
    some = world.environments[: max(1, world.size // 10)]
    events, at = list[Event](), LOST_S
    while at < BACK_S:
        environment = world.random.choice(some)
        events += [(at, _cut(environment, cut=True)), (at + world.random.uniform(0.1, 5), _cut(environment, cut=False))]
        at += world.random.uniform(0.1, 2)
    return sorted([*events, (BACK_S + 5, lambda w: [_cut(e, cut=False)(w) for e in some] and None)], key=lambda e: e[0])


SCENARIOS: dict[str, Script] = {
    "Redis out 5 min": redis_out,
    "both out 5 min": both_out,
    "one after the other": one_after_the_other,
    "flapping": flapping,
    "restart empty": restart_empty,
    "sleepers": sleepers,
    "lines cut": lines_cut,
}


def _redis(*, up: bool) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.redis.up = up

    return change


def _dynamodb(*, up: bool) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.dynamodb.up = up

    return change


def _cut(environment: object, *, cut: bool) -> Callable[[World], None]:
    def change(_: World) -> None:
        environment.redis.cut = cut  # type: ignore[attr-defined]

    return change


def leases_outstanding(name: str, environments: int) -> float:
    """Tokens beyond burst + rate x time that a scenario may admit: see `stores/failover.py`."""
    if name == "sleepers":
        return 1 + BUCKET.burst
    if name == "lines cut":
        return 1 + RATE_PER_S * CUT_S * max(1, environments // 10) / environments
    return 1


@dataclass(frozen=True)
class Outcome:
    """One scenario's figures.

    `worst` is the highest admission over its bound; the shares are of what the limit admits, or a caller asked for,
    while the stores were ill.
    """

    scenario: str
    environments: int
    worst: float
    excess: float
    greedy: float
    modest: float
    per_process: float
    per_process_worst: float
    busiest_item: int


def requests(rng: random.Random, until_s: float) -> Iterator[tuple[float, str]]:
    """When who asks."""
    per_s = GREEDY_PER_S + MODEST * MODEST_PER_S
    at = 0.0
    while (at := at + rng.expovariate(per_s)) < until_s:
        greedy = rng.random() < GREEDY_PER_S / per_s
        yield at, "greedy" if greedy else f"modest {rng.randrange(MODEST)}"


def simulate(name: str, environments: int, seed: int, script: Script | None = None) -> Outcome:
    """Run one scenario."""
    with held():
        random.seed(seed)  # the breakers' jitter
        world = make(environments, seed, BUCKET)
        events = sorted((script or SCENARIOS[name])(world), key=lambda event: event[0])
        per_second: dict[tuple[int, str], int] = {}

        def count(pk: str) -> None:
            at = (int(world.seconds), pk)
            per_second[at] = per_second.get(at, 0) + 1

        world.dynamodb.on_write = count
        for at, caller in requests(world.random, END_S):
            while events and events[0][0] <= at:
                when, change = events.pop(0)
                world.now_us = START_US + int(when * 1e6)
                change(world)
            world.now_us = START_US + int(at * 1e6)
            environment = world.random.choice(world.environments)
            while not environment.awake:
                environment = world.random.choice(world.environments)
            world.ask(environment, caller)
            if caller == "greedy":
                world.compare(environment, caller)
    return _outcome(name, world, max(per_second.values(), default=0))


@dataclass(frozen=True)
class HotKey:
    """What one key costs that everybody asks for, in all and in the busiest second; `used`: after the beginning."""

    environments: int
    per_s: int
    decisions: int
    writes: int
    busiest_item: int
    worst: float
    used: float


def simulate_hot_key(environments: int, per_s: int, seconds: int, seed: int) -> HotKey:
    """Redis is gone, and every environment asks for the same key, for a limit of a fifth of what is asked for."""
    rate = per_s // 5
    bucket = Bucket(1_000_000 // rate, burst=2 * rate)
    with held():
        random.seed(seed)
        world = make(environments, seed, bucket)
        world.redis.up = False
        writes: dict[tuple[int, str], int] = {}

        def count(pk: str) -> None:
            at = (int(world.seconds), pk)
            writes[at] = writes.get(at, 0) + 1

        world.dynamodb.on_write = count
        decisions = per_s * seconds
        for number in range(decisions):
            world.now_us = START_US + number * 1_000_000 // per_s
            world.ask(world.random.choice(world.environments), "hot")
    meter = world.meters["hot"]
    hot = {at: made for at, made in writes.items() if at[1].endswith("#hot")}
    return HotKey(
        environments,
        per_s,
        decisions,
        sum(hot.values()),
        max(writes.values()),
        meter.highest / (bucket.burst + 1),
        meter.admitted(START_US + BEGINNING_S * 1_000_000, world.now_us) / (rate * (seconds - BEGINNING_S)),
    )


def _outcome(name: str, world: World, busiest: int) -> Outcome:
    since, until = START_US + int(LOST_S * 1e6), START_US + int(BACK_S * 1e6)
    due = RATE_PER_S * (BACK_S - LOST_S)
    greedy = world.meters["greedy"]
    highest = max(meter.highest for meter in world.meters.values())
    modest = [meter for caller, meter in world.meters.items() if caller != "greedy"]
    asked = sum(since <= time < until for meter in modest for time in meter.asked)
    return Outcome(
        name,
        world.size,
        highest / (BUCKET.burst + leases_outstanding(name, world.size)),
        highest - BUCKET.burst,
        greedy.admitted(since, until) / due,
        sum(meter.admitted(since, until) for meter in modest) / asked,
        world.per_process.admitted(since, until) / due,
        world.per_process.highest / BUCKET.burst,
        busiest,
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.overadmission", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--environments", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--scenario", choices=SCENARIOS, nargs="*", default=list(SCENARIOS))
    parser.add_argument(
        "--hot-key", type=int, nargs=3, metavar=("ENVIRONMENTS", "PER_S", "SECONDS"), default=[500, 50_000, 10]
    )
    chosen = parser.parse_args(arguments)
    say(f"seed {chosen.seed}; limit {RATE_PER_S}/s, burst {BUCKET.burst}; asked for {GREEDY_PER_S}/s; clocks ±5 s")
    say(f"{'scenario':<20}{'envs':>6}{'observed/bound':>16}{'admitted/limit':>16}{'modest':>8}"
        f"{'per process':>13}{'writes/s, item':>16}")  # fmt: skip
    failed = False
    for name in chosen.scenario:
        for environments in chosen.environments:
            began = time.monotonic()
            o = simulate(name, environments, chosen.seed)
            failed |= o.worst > 1
            seconds = time.monotonic() - began
            say(f"{name:<20}{environments:>6}{o.worst:>16.3f}{o.greedy:>16.3f}{o.modest:>8.3f}{o.per_process:>13.2f}"
                f"{o.busiest_item:>16}   excess {o.excess:.1f} ({seconds:.0f} s)")  # fmt: skip
    if chosen.hot_key:
        hot = simulate_hot_key(*chosen.hot_key, chosen.seed)
        say(
            f"hot key: {hot.per_s} requests/s over {hot.environments} environments, limit {hot.per_s // 5}/s: "
            f"{hot.decisions} decisions, {hot.writes} writes ({hot.writes / hot.decisions:.4f} each), at most "
            f"{hot.busiest_item}/s on one item; observed/bound {hot.worst:.3f}; "
            f"after {BEGINNING_S} s {hot.used:.3f} of the limit was used"
        )
        failed |= hot.worst > 1 or hot.busiest_item >= 1000
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
