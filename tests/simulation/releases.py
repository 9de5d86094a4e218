"""The judge on simulated releases: python -m tests.simulation.releases --seed 1 --releases 10000

Good and bad releases over traffic from 0.1 to 1,000 requests a second and base error rates from 0 to 2 %, judged every
five seconds, beside an any-error alarm, a fixed threshold alarm and a fixed-size test.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

from functions.rollout.judge import Plan, after, decide, nothing
from tests.simulation import releases_peers
from tests.simulation.releases_peers import Judged
from tests.simulation.releases_world import BASE_ERRORS, KINDS, PROFILES, REQUESTS_PER_S, Kind, Release

BUCKET_S = 5
OURS = "Tidegate"
RULES = (OURS, *releases_peers.RULES)
CELLS = tuple(product(KINDS, REQUESTS_PER_S, BASE_ERRORS))
DOCS = Path(__file__).parents[2] / "docs"


class Outcome(NamedTuple):
    """One release, and what each rule said of it."""

    kind: Kind
    requests_per_s: float
    base_errors: float
    said: dict[str, Judged]


def replay(release: Release, plan: Plan) -> Judged:
    """Let the judge lead a release through the steps, as the state machine does, until it ends."""
    known, now_s, requests = nothing(), 0, 0
    for number, step in enumerate(plan.steps):
        began_s = now_s
        while True:
            bucket = release.bucket(number, step.percent, now_s, BUCKET_S)
            now_s += BUCKET_S
            requests += bucket.canary.warm.requests
            known = after(plan, known, bucket)
            verdict = decide(plan, known, number, now_s - began_s)
            if verdict is None:
                continue
            if verdict.outcome == "fail" or (verdict.outcome == "inconclusive" and verdict.then != "advance"):
                return Judged(verdict.outcome, requests, now_s)
            break
    return Judged("pass", requests, now_s)


def simulate(seed: int, number: int, plan: Plan | None = None) -> Outcome:
    """Run one release; the cells of the grid follow one another."""
    plan = plan or Plan()
    kind, requests_per_s, base_errors = CELLS[number % len(CELLS)]
    profile = PROFILES[number // len(CELLS) % len(PROFILES)]

    def release(who: str) -> Release:
        return Release(kind, requests_per_s, base_errors, profile, f"{seed}/{number}/{who}")

    said = {OURS: replay(release("judge"), plan), **releases_peers.judge(release("peers"), plan)}
    return Outcome(kind, requests_per_s, base_errors, said)


def simulate_all(seed: int, releases: int, workers: int) -> Iterator[Outcome]:
    """Run releases in as many processes; the figures don't depend on how many."""
    # Dear and cheap cells alike in every chunk.
    order = random.Random(seed).sample(range(releases), releases)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(simulate, seed), order, chunksize=50)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    from tests.simulation import releases_report  # noqa: PLC0415  the report imports this module's names

    parser = argparse.ArgumentParser(prog="python -m tests.simulation.releases", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--releases", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write docs/judge.md, and docs/judge.png with matplotlib")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    outcomes = list(simulate_all(chosen.seed, chosen.releases, chosen.workers))
    tables = releases_report.tables(outcomes)
    for line in releases_report.as_text(tables):
        say(line)
    say(f"{len(outcomes)} releases, seed {chosen.seed}: {time.monotonic() - began:.0f} s")
    if chosen.write:
        say(f"written: {releases_report.write(tables, outcomes, chosen.seed, DOCS)}")
    return int(not releases_report.holds(outcomes))


if __name__ == "__main__":
    sys.exit(main())
