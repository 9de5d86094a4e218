"""Scale-outs for real: processes start at once under quiet traffic; is it shed, and does the fleet know its demand?

`python -m tests.scenarios.scale_out --times 20`; `TIDEGATE_TEST_REDIS_SERVER` names the server's program.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import redis as driver
from rich.console import Console

from tests.harness.redis_server import RedisServer
from tests.scenarios.storm_fleet import Fleet
from tests.scenarios.storm_load import Clients, Outcome
from tests.scenarios.storm_run import SHEDDING, Extent
from tidegate.shedding.demand import NUMBERS, SLOT_S, measure

EXTENT = Extent(environments=8, service_s=0.1, principals=200, patience_s=60, limit="600/s", wait_ms="60000-60001")
BUSY, KNOWN_WITHIN_S, WATCHED_S, LOOK_EVERY_S = 0.5, 5.0, 5.0, 0.05


@dataclass(frozen=True)
class ScaleOut:
    """What became of one.

    Attributes:
        outcomes: of all requests, from the first start on.
        estimate: the fleet's demand as Redis summed it up, averaged over `WATCHED_S` from `KNOWN_WITHIN_S` on.
        truth: what was in flight meanwhile, by what the environments' lines say of each request.
    """

    outcomes: Counter[Outcome]
    estimate: float
    truth: float

    @property
    def error(self) -> float:
        """How far the estimate is off, as a share."""
        return self.estimate / self.truth - 1


async def scale_out() -> ScaleOut:
    """Start a whole fleet under quiet traffic."""
    with RedisServer() as server, driver.Redis.from_url(server.url) as client:
        async with Fleet(EXTENT.environments, EXTENT.queue, SHEDDING.variables(EXTENT, server)) as fleet:
            clients = Clients(fleet, EXTENT.principals, EXTENT.patience_s)
            coming = asyncio.create_task(clients.come(BUSY * EXTENT.capacity, KNOWN_WITHIN_S + WATCHED_S))
            await asyncio.sleep(KNOWN_WITHIN_S)
            began_s, estimates = time.time(), []
            while time.time() < began_s + WATCHED_S:
                estimates.append(_estimate(client))
                await asyncio.sleep(LOOK_EVERY_S)
            ended_s = time.time()
            await coming
            await clients.ended()
            spans = [_span(line) for line in fleet.lines() if line["outcome"] == "admitted"]
            overlaps = [max(0.0, min(end, ended_s) - max(begin, began_s)) for begin, end in spans]
            outcomes = Counter(one.outcome for one in clients.asked)
            return ScaleOut(outcomes, sum(estimates) / len(estimates), sum(overlaps) / (ended_s - began_s))


def _estimate(client: driver.Redis) -> float:
    """Read what Redis has summed up, as its script would answer now."""
    [key] = client.keys("*:flow")
    kept = client.get(key)
    seconds, microseconds = client.time()
    passed = (seconds + microseconds / 1_000_000) / SLOT_S - struct.unpack_from(">d", kept)[0]
    slots = [list(struct.unpack_from(f">{NUMBERS}d", kept, 8 + 8 * NUMBERS * i)) for i in range(5)]
    empty = [[0.0] * NUMBERS for _ in range(min(5, int(passed)))]
    return sum(measure((empty + slots)[:5], passed % 1).demand)


def _span(line: dict[str, object]) -> tuple[float, float]:
    ended_s = datetime.fromisoformat(str(line["timestamp"])).timestamp()
    return ended_s - float(str(line["duration_ms"])) / 1000, ended_s


def main() -> None:
    """Scale out several times, and say what became of each."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=20)
    console = Console()
    for number in range(1, arguments.parse_args().times + 1):
        found = asyncio.run(scale_out())
        told = ", ".join(f"{outcome} {count}" for outcome, count in sorted(found.outcomes.items()))
        console.print(
            f"{number}: {told}; demand {found.truth:.2f}, estimate {found.estimate:.2f} ({found.error:+.0%})",
            highlight=False,
        )


if __name__ == "__main__":
    main()
