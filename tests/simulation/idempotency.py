"""The long run: `python -m tests.simulation.idempotency --seed 1 --steps 1000000`.

It lives through as many histories as make up the steps, and prints what happened in them. A violation is printed
with the shortest history that shows it; `--replay SEED:NUMBER` shows that history event by event.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.simulation.idempotency_history import LENGTH, Outcome, history, live, name_of, shortened
from tests.simulation.idempotency_world import quiet

Say = Callable[[str], None]


def main(arguments: Sequence[str] | None = None, say: Say = print) -> int:
    """Run or replay; 1 if an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.idempotency", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--replay", metavar="SEED:NUMBER", help="one history, told event by event")
    chosen = parser.parse_args(arguments)
    with quiet():
        return _replay(chosen.replay, say) if chosen.replay else _run(chosen.seed, chosen.steps, say)


def _run(seed: int, steps: int, say: Say) -> int:
    began, counts, done, number, most_retries = time.monotonic(), Counter[str](), 0, 0, 0
    while done < steps:
        name = name_of(seed, number)
        outcome = live(name, history(name))
        counts += outcome.counts
        done, number, most_retries = done + outcome.steps, number + 1, max(most_retries, outcome.most_retries)
        if outcome.violation is not None:
            _report(name, outcome, say)
            return 1
    seconds = time.monotonic() - began
    say(f"seed {seed}: {done} steps in {number} histories, {seconds:.0f} s, no invariant violated")
    say(f"retries until an answer once the stores were well: at most {most_retries}")
    for event, count in sorted(counts.items()):
        say(f"{count:>9}  {event}")
    return 0


def _report(name: str, outcome: Outcome, say: Say) -> None:
    say(f"VIOLATED: {outcome.violation}")
    say(f"after {outcome.steps} steps of history {name}; replay it with --replay {name}")
    shorter = shortened(name, history(name)[: outcome.steps])
    say(f"the shortest history found that violates an invariant has {len(shorter)} steps:")
    live(name, shorter, say)
    say(f"  and then: {live(name, shorter).violation}")


def _replay(name: str, say: Say) -> int:
    outcome = live(name, history(name, LENGTH), say)
    say(f"{outcome.steps} steps: {outcome.violation or 'no invariant violated'}")
    return int(outcome.violation is not None)


if __name__ == "__main__":
    sys.exit(main())
