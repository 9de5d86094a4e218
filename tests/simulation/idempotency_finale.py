"""How every history ends: all faults over, time passing. Now nobody may wait for ever, and nothing may be lost."""

from tests.simulation.idempotency_ledger import Heard, Key, ViolationError
from tests.simulation.idempotency_shop import Fate
from tests.simulation.idempotency_steps import ENVIRONMENTS, Step
from tests.simulation.idempotency_world import World

# A hold and the clocks' skew are over before so many, a second or more apart.
MOST_RETRIES = 40


def conclude(world: World) -> None:
    """Heal the stores and let every client ask until it is answered; then wake the zombies, and ask again.

    Raises:
        ViolationError: a client waits for ever, or an answer isn't what it was.
    """
    world.disarm()
    world.perform(Step("mend"))
    if all(environment.frozen for environment in world.environments):
        world.perform(Step("crash", 0))
    for environment in world.environments:
        world.finish(environment)
    asked = [key for key in world.keys if key.asked]
    first = {key.name: _until_answered(world, key) for key in asked}
    for number in range(ENVIRONMENTS):
        world.perform(Step("thaw", number))
        world.finish(world.environments[number])
    world.perform(Step("redis_empty"))
    for key in asked:
        again = _until_answered(world, key)
        if key.guarded and key.route != "brief" and again.content != first[key.name].content:
            raise ViolationError(f"{key.name}: {first[key.name].content} was answered, and at the end {again.content}")


def _until_answered(world: World, key: Key) -> Heard:
    key.final = None
    for attempt in range(MOST_RETRIES):
        able = [environment for environment in world.environments if environment.runs]
        environment = able[attempt % len(able)]
        world.request(key, environment, Fate.WELL)
        world.finish(environment)
        world.perform(Step("advance", 3))
        if key.final is not None:
            world.most_retries = max(world.most_retries, attempt)
            return key.final
    raise ViolationError(f"{key.name}: no answer after {MOST_RETRIES} retries, with both stores well")
