"""The steps of a history: everything that can happen in the simulated world, each by its kind.

A step means the same in every world that has come the same way, so that a list of steps is a replay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.idempotency_ledger import SKEW_MS
from tests.simulation.idempotency_shop import Fate

if TYPE_CHECKING:
    from tests.simulation.idempotency_environment import SimulatedEnvironment
    from tests.simulation.idempotency_world import World

ENVIRONMENTS = 2
TIMES_MS = (1, 40, 300, 1_000, 3_000, 5_000, 7_000, 9_000, 12_000, 16_000, 21_000, 26_000, 700_000)
# Requests of one key at once: more would only wait for the same claim, and make histories longer.
MOST_OPEN = 3


@dataclass(frozen=True)
class Step:
    """One event.

    Attributes:
        kind: what happens: a key of `EVENTS`.
        where: chooses the environment, or what else there is only one choice of; any number means something.
        which: chooses among what is there.
        inner: what happens in the midst of a later call (of `arm` alone).
    """

    kind: str
    where: int = 0
    which: int = 0
    inner: "tuple[Step, ...]" = ()


def _ask(world: "World", step: Step) -> None:
    """A client sends a request, unless so many of its key are open."""
    key = world.keys[step.where // ENVIRONMENTS % len(world.keys)]
    environment = _at(world, step)
    if environment.runs and world.open[key.name] < MOST_OPEN:
        world.request(key, environment, Fate(step.which % len(Fate)))


def _resume(world: "World", step: Step) -> None:
    """An environment goes on at one of its pauses."""
    if (environment := _one_that_runs(world, step)) is not None:
        environment.resume(step.which)


def _hurry(world: "World", step: Step) -> None:
    """An environment ends everything that it has begun."""
    if (environment := _one_that_runs(world, step)) is not None:
        world.finish(environment)


def _freeze(world: "World", step: Step) -> None:
    """An environment stands still, as Lambda's do between invocations."""
    _at(world, step).frozen = True


def _thaw(world: "World", step: Step) -> None:
    environment = _at(world, step)
    environment.frozen = False
    if environment.runs:
        environment.loop.drain()


def _crash(world: "World", step: Step) -> None:
    """An environment ends without a word, and another one is in its place; not in the midst of its own call."""
    if not _at(world, step).blocked:
        world.replace(step.where % ENVIRONMENTS)


def _advance(world: "World", step: Step) -> None:
    world.pass_ms(TIMES_MS[step.where % len(TIMES_MS)])


def _skew(world: "World", step: Step) -> None:
    """An environment's clock is set, within the bound that the library is promised."""
    _at(world, step).clock.skew_us = (step.which % (2 * SKEW_MS + 1) - SKEW_MS) * 1000


def _redis_down(world: "World", _: Step) -> None:
    world.redis.up = False


def _redis_up(world: "World", _: Step) -> None:
    world.redis.up = True


def _redis_empty(world: "World", _: Step) -> None:
    world.redis.restart_empty()


def _redis_replicates(world: "World", _: Step) -> None:
    world.redis.replicate()


def _redis_fails_over(world: "World", _: Step) -> None:
    """The replica takes over, without what it hadn't been told."""
    world.redis.fail_over()


def _dynamodb_down(world: "World", _: Step) -> None:
    world.dynamodb.up = False


def _dynamodb_up(world: "World", _: Step) -> None:
    world.dynamodb.up = True


def _dynamodb_expires(world: "World", _: Step) -> None:
    """DynamoDB's TTL deletes what it may delete."""
    world.dynamodb.expire(world.now_us // 1_000_000)


def _cut(world: "World", step: Step) -> None:
    """An environment's way to one store is cut, or mended."""
    link = _at(world, step).links[step.which % 2]
    link.cut = not link.cut


def _lose(world: "World", step: Step) -> None:
    """The next call or two lose their effect, or only the acknowledgement of it."""
    link = _at(world, step).links[step.where // ENVIRONMENTS % 2]
    link.losses.extend([("write", "acknowledgement")[step.which % 2]] * (1 + step.which // 2 % 2))


def _arm(world: "World", step: Step) -> None:
    """Let steps happen in the midst of a call, after so many moments of calls."""
    world.arm(step.where, step.inner)


def _mend(world: "World", _: Step) -> None:
    """Both stores and all ways to them are well again."""
    world.redis.up = world.dynamodb.up = True
    for environment in world.environments:
        for link in environment.links:
            link.cut = False
            link.losses.clear()


EVENTS: "dict[str, Callable[[World, Step], None]]" = {
    "ask": _ask,
    "resume": _resume,
    "hurry": _hurry,
    "freeze": _freeze,
    "thaw": _thaw,
    "crash": _crash,
    "advance": _advance,
    "skew": _skew,
    "redis_down": _redis_down,
    "redis_up": _redis_up,
    "redis_empty": _redis_empty,
    "redis_replicates": _redis_replicates,
    "redis_fails_over": _redis_fails_over,
    "dynamodb_down": _dynamodb_down,
    "dynamodb_up": _dynamodb_up,
    "dynamodb_expires": _dynamodb_expires,
    "cut": _cut,
    "lose": _lose,
    "arm": _arm,
    "mend": _mend,
}


def _at(world: "World", step: Step) -> "SimulatedEnvironment":
    return world.environments[step.where % ENVIRONMENTS]


def _one_that_runs(world: "World", step: Step) -> "SimulatedEnvironment | None":
    able = [environment for environment in world.environments if environment.runs]
    return able[step.where % len(able)] if able else None
