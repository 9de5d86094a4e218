"""Events of every kind, whole and broken, to a protected function: python -m tests.simulation.event_fuzz --seed 1

An application with limits, an idempotent, a cached, a coalesced and a queued route is invoked through `lambda_handler`
with events of REST and HTTP APIs, function URLs and balancers, as they are sent and with anything put anywhere in
them, and with what isn't a request at all. It may answer, refuse, or say that it doesn't take the event. What it may
not do is raise anything else, or answer a 5xx that isn't deliberate. An event is made from the seed and its number
alone: `--only NUMBER` makes it again, and shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.simulation.event_fuzz_app import application
from tests.simulation.event_fuzz_draws import OTHER, Made, draw
from tidegate import (
    UnsupportedEventError,
    lambda_handler,
)
from tidegate.errors import REDUCED_CAPACITY

_SHOWN = 5


@dataclass
class Found:
    """What became of the events.

    Attributes:
        counts: by kind, by whether the event is as its sender makes it, and by outcome.
        failures: the numbers of those that failed, and how.
    """

    counts: Counter[tuple[str, bool, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)


class Fuzz:
    """Events from a seed, to one environment.

    Args:
        seed: what they are made of.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.found = Found()
        self.handler = lambda_handler(application())

    def run(self, events: int, told: Callable[[int], None] = lambda _: None) -> Found:
        """Invoke it with so many."""
        for number in range(events):
            self.invoke(number)
            told(number)
        return self.found

    def invoke(self, number: int) -> tuple[Made, Any]:
        """Invoke it with one event, note what becomes of it, and return both."""
        made = draw(Random(f"{self.seed}/{number}"))
        try:
            answer = self.handler(made.event, made.context)
            outcome = judged(answer)
        except UnsupportedEventError as error:
            answer, outcome = error, "not taken"
            if made.whole and made.kind != OTHER:
                outcome = "FAILED: a request was not taken"
        except BaseException as error:  # noqa: BLE001  whatever it is, it would have been raised to Lambda
            answer, outcome = error, f"FAILED: {type(error).__name__} was raised"
            self.found.failures.append((number, "".join(traceback.format_exception(error)[-3:])))
        if outcome == "answered" and made.kind == OTHER and made.whole:
            outcome = "FAILED: what is no request was answered"
        if outcome.startswith("FAILED"):
            self.found.failures.append((number, f"{outcome}\n{answer}"))
        self.found.counts[made.kind, made.whole, outcome] += 1
        return made, answer


def judged(answer: Any) -> str:
    """Say what an answer is; anything that API Gateway wouldn't take, or that nobody meant, has failed."""
    told = json.loads(json.dumps(answer))
    status, body = told["statusCode"], told["body"]
    if not isinstance(status, int) or not isinstance(body, str) or not isinstance(told["isBase64Encoded"], bool):
        return "FAILED: no answer"
    if 200 <= status < 400:
        return "answered"
    if status < 500:
        return {400: "refused: 400", 429: "refused: 429"}.get(status, "refused: other 4xx")
    deliberate = status == 503 and json.loads(body).get("type") == REDUCED_CAPACITY
    return "shed: 503" if deliberate else f"FAILED: {status}"


def report(found: Found) -> Table:
    """Return the table."""
    outcomes = sorted({outcome for _, _, outcome in found.counts})
    table = Table("sender", "event", *outcomes, "all")
    for kind, whole in sorted({(kind, whole) for kind, whole, _ in found.counts}, key=lambda row: (row[0], not row[1])):
        numbers = [found.counts[kind, whole, outcome] for outcome in outcomes]
        table.add_row(kind, "as sent" if whole else "broken", *(f"{n:,}" for n in numbers), f"{sum(numbers):,}")
    return table


def _quiet() -> None:
    """Let no request write its line: there are a million."""
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    for name in ("AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL"):
        os.environ.pop(name, None)


def _tell(number: int) -> None:
    if number and number % 50_000 == 0:
        sys.stderr.write(f"{number:,} events\n")


def main() -> int:
    """Run it, print the table, and say how it ended."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--only", type=int, metavar="NUMBER", help="make one event again, and show it")
    asked = options.parse_args()
    _quiet()
    fuzz = Fuzz(asked.seed)
    console = Console(file=sys.stdout, width=160)
    if asked.only is not None:
        made, answer = fuzz.invoke(asked.only)
        console.print(made, answer)
    else:
        console.print(report(fuzz.run(asked.events, _tell)))
    fuzz.handler.close()
    for number, how in fuzz.found.failures[:_SHOWN]:
        console.print(f"--seed {asked.seed} --only {number}", how, markup=False)
    failed = sum(count for (_, _, outcome), count in fuzz.found.counts.items() if outcome.startswith("FAILED"))
    console.print(f"{failed} of {fuzz.found.counts.total():,} events failed")
    asyncio.get_event_loop().close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
