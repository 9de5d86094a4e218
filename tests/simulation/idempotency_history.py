"""Histories: lists of steps, made from a seed, lived through, and shortened when they end badly."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tests.simulation.idempotency_finale import conclude
from tests.simulation.idempotency_ledger import SKEW_MS, ViolationError
from tests.simulation.idempotency_shop import ROUTES, Fate
from tests.simulation.idempotency_steps import ENVIRONMENTS, TIMES_MS, Step
from tests.simulation.idempotency_world import World

# How often what happens: mostly progress, seldom the same fault twice before it is mended.
WEIGHTS = {
    "ask": 16,
    "resume": 34,
    "hurry": 6,
    "advance": 12,
    "arm": 6,
    "lose": 5,
    "freeze": 3,
    "thaw": 4,
    "crash": 1,
    "skew": 1,
    "redis_down": 1,
    "redis_up": 2,
    "redis_empty": 1,
    "redis_replicates": 1,
    "redis_fails_over": 1,
    "dynamodb_down": 2,
    "dynamodb_up": 2,
    "dynamodb_expires": 1,
    "cut": 1,
    "mend": 2,
}
_KINDS, _OFTEN = list(WEIGHTS), list(WEIGHTS.values())
LENGTH = 100
LONGEST_IN_A_CALL = 10  # of `TIMES_MS`
_SHORTENINGS = 3_000


@dataclass(frozen=True)
class Outcome:
    """How a history ended."""

    steps: int
    counts: Counter[str]
    most_retries: int
    violation: ViolationError | None


def name_of(seed: int, number: int) -> str:
    """The seed of one of a long run's histories."""
    return f"{seed}:{number}"


def history(seed: str, length: int = LENGTH) -> list[Step]:
    """The history of that seed: always the same."""
    return list(islice(_Author(seed).steps(), length))


def live(seed: str, steps: Sequence[Step], tell: Callable[[str], None] | None = None) -> Outcome:
    """Let a history happen, to its end or to the first violation. `quiet()` must be entered."""
    random.seed(seed)  # the breakers' jitter
    world = World()
    world.tell = tell
    done = 0
    try:
        for step in steps:
            done += 1
            world.perform(step)
        conclude(world)
    except ViolationError as violation:
        return Outcome(done, world.counts, world.most_retries, violation)
    finally:
        for environment in world.environments:
            environment.crash()
    return Outcome(done, world.counts, world.most_retries, None)


def shortened(seed: str, steps: Sequence[Step]) -> list[Step]:
    """A shorter history that violates the same way: parts are left out, then smaller ones (delta debugging)."""
    kept, size, tries = list(steps), max(1, len(steps) // 2), 0
    while tries < _SHORTENINGS:
        before = len(kept)
        for without in list(_without(kept, size)):
            tries += 1
            if len(without) < len(kept) and live(seed, without).violation is not None:
                kept = without
                break
        if len(kept) == before:
            if size == 1:
                break
            size //= 2
    return kept


def _without(steps: list[Step], size: int) -> Iterator[list[Step]]:
    for start in range(0, len(steps), size):
        yield steps[:start] + steps[start + size :]


class _Author:
    """Writes one history: a few keys that are asked for again and again, and trouble."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)
        self._keys = self._chance.sample(range(len(ROUTES)), 2)

    def steps(self) -> Iterator[Step]:
        yield from (self._skew(place) for place in range(ENVIRONMENTS))
        while True:
            yield self._step()

    def _step(self, *, inner: bool = False) -> Step:
        [kind] = self._chance.choices(_KINDS, _OFTEN)
        match kind:
            case "ask":
                return self._ask()
            case "advance":  # one call never lasts as long as a key lives
                return Step(kind, self._chance.randrange(LONGEST_IN_A_CALL if inner else len(TIMES_MS)))
            case "arm" if inner:
                return self._ask()
            case "arm":
                length = self._chance.randrange(1, 12)
                return Step(kind, self._chance.randrange(6), 0, tuple(self._step(inner=True) for _ in range(length)))
            case "skew":
                return self._skew(self._chance.randrange(ENVIRONMENTS))
            case _:
                return Step(kind, self._chance.randrange(12), self._chance.randrange(12))

    def _skew(self, place: int) -> Step:
        """Most often as far from the truth as a clock may be."""
        return Step("skew", place, self._chance.choice([0, 2 * SKEW_MS, self._chance.randrange(2 * SKEW_MS)]))

    def _ask(self) -> Step:
        place = self._chance.randrange(ENVIRONMENTS)
        [fate] = self._chance.choices(list(Fate), [6, 1, 1, 1, 1])
        return Step("ask", self._chance.choice(self._keys) * ENVIRONMENTS + place, fate)
