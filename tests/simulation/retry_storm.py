"""A retry storm, simulated: python -m tests.simulation.retry_storm --seed 1

A server with a fixed capacity is out for a minute, while clients ask for seven tenths of what it can do. They retry as
most clients do (three times at once), with backoff alone, or as `tidegate.client` decides; its own classes run here, on
a simulated clock. `--write docs/retry_storm.md` writes the table and the chart.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

from tests.simulation.retry_storm_clients import Fleet
from tests.simulation.retry_storm_world import Outage, Plan, Server, World

CLIENTS = {
    "naive: 3 retries at once": ("naive", False),
    "3 retries with backoff and full jitter": ("backoff", False),
    "tidegate.client": ("tidegate", False),
    "tidegate.client, and the server reads deadlines": ("tidegate", True),
}
OUTAGES: dict[Outage, str] = {
    "refuses": "answers 503 at once",
    "hangs": "accepts, queues and doesn't answer",
}
# Steady: from here on, for so long, nearly every request is answered.
STEADY_S, STEADY_SHARE = 10, 0.99
AFTERMATH_S = 30


@dataclass(frozen=True)
class Outcome:
    """One run: what reached the server and what was answered in time in each second, and what is read off that.

    `offered_out` is of the demand, in the outage; `offered_after` and `useful_after` in the half minute after it.
    """

    offered: Counter[int]
    useful: Counter[int]
    offered_out: float
    offered_after: float
    useful_after: float
    steady_after_s: int | None


def simulate(clients: str, outage: Outage, plan: Plan, seed: int) -> Outcome:
    """Run one kind of clients through one outage."""
    kind, reads_deadlines = CLIENTS[clients]
    world = World()
    server = Server(world, plan, Random(f"{seed} server"), reads_deadlines=reads_deadlines)
    fleet = Fleet(kind, world, server, plan, seed)
    fleet.start()
    world.after(plan.healthy_s, lambda: server.go_out(outage))
    world.after(plan.back_s, server.come_back)
    world.run()
    tally, aftermath_s = fleet.tally, min(AFTERMATH_S, plan.after_s)
    return Outcome(
        server.offered,
        tally.useful,
        _mean(server.offered, plan.healthy_s, plan.outage_s) / plan.demand,
        _mean(server.offered, plan.back_s, aftermath_s) / plan.demand,
        _mean(tally.useful, plan.back_s, aftermath_s) / plan.demand,
        _steady_after_s(plan, tally.begun, tally.served),
    )


def _mean(counts: Counter[int], since_s: int, seconds: int) -> float:
    return sum(counts[second] for second in range(since_s, since_s + seconds)) / seconds


def _steady_after_s(plan: Plan, begun: Counter[int], served: Counter[int]) -> int | None:
    """Seconds from the server's return to the first of so many in which nearly all that began was answered."""
    for since in range(plan.back_s, plan.end_s - STEADY_S):
        window = range(since, since + STEADY_S)
        if sum(served[s] for s in window) >= STEADY_SHARE * sum(begun[s] for s in window):
            return since - plan.back_s
    return None


def table(outcomes: dict[tuple[Outage, str], Outcome], plan: Plan) -> str:
    """Return the figures as Markdown."""
    rows = [
        "| outage | clients | offered in it | offered after | useful after | steady after |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for (outage, clients), outcome in outcomes.items():
        after = outcome.steady_after_s
        steady = f"{after} s" if after is not None else f"not in {plan.after_s} s"
        figures = (outcome.offered_out, outcome.offered_after, outcome.useful_after)
        rows.append(f"| {outage} | {clients} | {' | '.join(f'{figure:.2f}' for figure in figures)} | {steady} |")
    return "\n".join(rows)


def document(outcomes: dict[tuple[Outage, str], Outcome], plan: Plan, seed: int, chart: str) -> str:
    """Return what docs/ keeps of a run."""
    outages = "; ".join(f"**{outage}**: it {what}" for outage, what in OUTAGES.items())
    return f"""# A retry storm, simulated

Printed by `python -m tests.simulation.retry_storm --seed {seed} --write docs/retry_storm.md`. {plan.clients} client \
processes ask for {plan.demand:.0f} requests a second in all, of a server that does {plan.capacity:.0f}: \
{plan.workers} at once, {plan.service_s * 1000:.0f} ms each, first come first served, with a queue of {plan.queue:,}. \
It doesn't see that a client has gone. A client gives an attempt up after {plan.timeout_s:g} s; a request has at most \
four. The server is out for {plan.outage_s} s ({outages}), then does its full {plan.capacity:.0f} again. The decisions \
of `tidegate.client` are its own classes, with their defaults and a deadline of {plan.deadline_s:g} s.

- **offered**: attempts that reach the server, over the demand: in the outage, and in the {AFTERMATH_S} s after it.
- **useful**: answers that came while their client waited, over the demand, in the {AFTERMATH_S} s after.
- **steady after**: seconds until {STEADY_SHARE:.0%} of the requests that begin within {STEADY_S} s are answered.

{table(outcomes, plan)}

![Offered and useful load by second]({chart})

A server that refuses at once is well as soon as it is back, whoever asks; ours still refuse some requests themselves \
until three were accepted in a row. One that hung comes back to a queue of \
requests that nobody waits for, works them off first, and is late for those that come meanwhile, which are given up \
and sent again. Three retries make that four times the demand, nearly three times what it can do: it never catches \
up, and works at full capacity for nobody, long after the fault is gone (a metastable failure: Bronson et al., \
HotOS 2021). Backoff with jitter spreads the retries and doesn't lessen them, so it doesn't help. A budget of a tenth \
keeps the load below capacity, and the queue drains; what the outage begins with is what each client has saved up. \
With the deadline in `Tidegate-Timeout-Ms` a server drops what nobody waits for, and the first request after the \
outage is answered in time.
"""


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Run all clients through both outages."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.retry_storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a Markdown file; the chart comes beside it and needs matplotlib")
    chosen = parser.parse_args(arguments)
    plan = Plan()
    outcomes = {(o, c): simulate(c, o, plan, chosen.seed) for o in get_args(Outage) for c in CLIENTS}
    say(table(outcomes, plan))
    if chosen.write:
        from tests.simulation.retry_storm_chart import draw  # noqa: PLC0415  matplotlib is the benchmarks'

        picture = chosen.write.with_suffix(".png")
        draw(outcomes, plan, picture)
        chosen.write.write_text(document(outcomes, plan, chosen.seed, picture.name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
