"""What a fleet's bookkeeping costs Redis, by the server's own times: heartbeats and reports of the demand."""

import random
from functools import partial
from typing import Any

import redis as driver

from tests.benchmarks.report import Goal, Section, Table
from tidegate.shedding.demand import NUMBERS
from tidegate.shedding.fleet_demand import REPORT_EVERY_S, REPORTS_PER_S, Report
from tidegate.shedding.in_redis import demand_call
from tidegate.stores.redis.scripts import Call, heartbeat_call
from tidegate.stores.redis.store import GONE_AFTER_S, HEARTBEAT_EVERY_S, HEARTBEATS_PER_S

FLEETS = (100, 1_000, 2_500, 10_000, 30_000)
LARGEST = 10_000
ROUNDS, A_ROUND = 8, 1_000
FLEET = "tidegate:{fleet:bench}"
HOW = (
    f"A fleet of each size stands in Redis; then {ROUNDS} rounds of {A_ROUND:,} heartbeats, of environments drawn at "
    "random, and of reports, each with what a busy environment tells. The server says how long it ran each (INFO "
    "commandstats), of which the quickest round counts: the server runs one at a time, so what else a machine does can "
    "only add. A share of a core is that, times how many of them the whole fleet sends in a second if every one of it "
    "always has a request to take them along."
)


def test_fleet_cost(redis_url, report):
    rows, shares = [], {}
    with driver.Redis.from_url(redis_url) as client:
        for environments in FLEETS:
            client.flushall()
            _stand(client, environments)
            beat_us = _quickest(client, partial(_heartbeat, environments))
            told_us = _quickest(client, _report)
            beats, reports = _per_s(environments)
            shares[environments] = (beats * beat_us + reports * told_us) / 1_000_000
            rows.append(
                (
                    f"Tidegate, {environments:,} environments",
                    f"{beat_us:.1f}",
                    f"{beats:.0f}",
                    f"{told_us:.1f}",
                    f"{reports:.0f}",
                    f"{shares[environments]:.2%}",
                )
            )
    section = Section("fleet-cost", "What a fleet's bookkeeping costs Redis", HOW)
    columns = ("fleet", "heartbeat, µs", "a second", "report, µs", "a second", "of a core")
    section.tables.append(Table("Heartbeats and reports of the demand", columns, rows))
    worst = max(share for environments, share in shares.items() if environments <= LARGEST)
    goal = Goal(f"of a Redis core, for {LARGEST:,} environments or fewer", f"{worst:.1%}", "≤ 5 %", worst <= 0.05)
    section.goals.append(goal)
    report.add(section)


def _per_s(environments: int) -> tuple[float, float]:
    """Return how many heartbeats and reports a whole fleet sends in a second, at most."""
    beats = min(environments / HEARTBEAT_EVERY_S, HEARTBEATS_PER_S)
    reports = min(environments / REPORT_EVERY_S, REPORTS_PER_S)
    return beats, reports


def _stand(client: Any, environments: int) -> None:
    now_s = client.time()[0]
    ids = [_name(i) for i in range(environments)]
    for at in range(0, environments, 5_000):
        client.zadd(FLEET, dict.fromkeys(ids[at : at + 5_000], now_s))
        client.zadd(f"{FLEET}:places", dict.fromkeys(ids[at : at + 5_000], 0))


def _heartbeat(environments: int) -> Call:
    silent_s = max(GONE_AFTER_S, 3 * environments // HEARTBEATS_PER_S)
    told = [_name(random.randrange(environments)), silent_s + 600, 0, 0, 0, environments]
    return heartbeat_call([FLEET, f"{FLEET}:clock"], told, b"s" * 16)


def _report() -> Call:
    return demand_call(f"{FLEET}:flow", Report(tuple(random.uniform(0, 3) for _ in range(NUMBERS))))


def _quickest(client: Any, drawn: Any) -> float:
    """Return the microseconds that the server takes for a call, in the quickest round."""
    sha = client.script_load(drawn().script.source)
    took = []
    for _ in range(ROUNDS):
        calls = [drawn() for _ in range(A_ROUND)]
        client.config_resetstat()
        for call in calls:
            client.evalsha(sha, len(call.keys), *call.keys, *call.arguments)
        took.append(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])
    return min(took)


def _name(number: int) -> str:
    return f"{number * 2_654_435_761 % 2**48:012x}"
