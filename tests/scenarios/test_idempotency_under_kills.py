"""Keys asked for from 8 processes while Redis is killed and restarted empty: one effect each.

The moments are chosen by progress: Redis dies after so many answers, and comes back after so many more. The whole,
2,000 keys and ten kills: `pytest tests/scenarios/test_idempotency_under_kills.py -m benchmark`.
"""

import asyncio
import multiprocessing
import os
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.harness.lambda_events import LambdaContext, rest_event
from tests.harness.processes import run_at_once
from tests.scenarios.idempotency_till import till

pytestmark = pytest.mark.slow

PROCESSES = 8
ASKS = 4  # the first and three retries, each from another process
ANSWERS_WITHOUT_REDIS = 20
DEADLINE_S = 540.0
STALLED_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What one process was told of one key in the end, and the statuses on the way."""

    number: int
    body: str
    replayed: bool
    statuses: tuple[int, ...]


class Asker:
    """One environment, invoked with one event after the other."""

    def __init__(self, redis_url, table, effects):
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._handler = till(redis_url, table, effects)

    def ask(self, number):
        asyncio.set_event_loop(self._loop)
        route = "fenced" if number % 2 else "plain"
        fields = {"idempotency-key": f"key-{number}"}
        return self._handler(
            rest_event("POST", f"/{route}/{number}", headers=fields, body="{}", api_key_id="alice"),
            LambdaContext(timeout_ms=30_000),
        )


def prepare(redis_url, table, effects, answered, keys):
    """Get the environment ready before all begin; what it logs of each request is not the test's output."""
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    return Asker(redis_url, table, effects)


def ask_for_all(worker, redis_url, table, effects, answered, keys):
    """Ask for this process's share; what says to come again comes again after the others."""
    asker, statuses, answers = worker.shared, defaultdict(list), []
    waiting = deque(n for n in range(keys) if any((n + 2 * ask) % PROCESSES == worker.process for ask in range(ASKS)))
    ends = time.monotonic() + DEADLINE_S
    while waiting and time.monotonic() < ends:
        number = waiting.popleft()
        reply = asker.ask(number)
        statuses[number].append(reply["statusCode"])
        answered.put(reply["statusCode"])
        if reply["statusCode"] in {409, 503}:
            waiting.append(number)
            continue
        replayed = "idempotent-replayed" in reply["headers"]
        answers.append(Answer(number, reply["body"], replayed, tuple(statuses[number])))
    return answers, sorted(waiting)


def kill_by_progress(redis, answered, expected, kills):
    """Kill and restart Redis at even distances; how often it was done."""
    done = 0
    for kill in range(kills):
        due = expected * (2 * kill + 1) // (2 * kills)
        done = _wait_for(answered, done, due)
        redis.kill()
        done = _wait_for(answered, done, due + ANSWERS_WITHOUT_REDIS)
        redis.start()
    return kills


def _wait_for(answered, done, due):
    while done < due:
        answered.get(timeout=STALLED_S)
        done += 1
    return done


@pytest.mark.parametrize(
    ("keys", "kills"), [(400, 4), pytest.param(2_000, 10, marks=pytest.mark.benchmark)], ids=["some", "the whole"]
)
def test_each_key_has_one_effect_and_one_answer(redis_server, dynamo, library_table, capsys, keys, kills):
    effects = dynamo.create_table("effects")
    os.environ["AWS_ENDPOINT_URL"] = dynamo.endpoint_url
    answered = multiprocessing.get_context("spawn").Queue()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill_by_progress, redis_server, answered, keys * ASKS, kills)
        results = run_at_once(
            ask_for_all,
            *(redis_server.url, library_table, effects, answered, keys),
            processes=PROCESSES,
            threads=1,
            prepare=prepare,
            deadline_s=DEADLINE_S,
        )
        assert killed.result(DEADLINE_S) == kills
    seconds = time.monotonic() - began
    answered.close()

    assert [left for _, left in results] == [[]] * PROCESSES, "nobody waits for ever"
    answers = [answer for given, _ in results for answer in given]
    statuses = Counter(status for answer in answers for status in answer.statuses)
    with capsys.disabled():
        print(  # noqa: T201  the figures, for whoever runs the whole
            f"\n{keys} keys, {len(answers)} answers, {kills} kills, {seconds:.0f} s, statuses {dict(statuses)}"
        )
    _check_effects(dynamo.items(effects), keys)
    _check_answers(answers, keys)
    assert statuses.keys() <= {201, 409, 503}


def _check_effects(items, keys):
    assert {int(item["pk"]["S"]): item["effects"]["N"] for item in items} == dict.fromkeys(range(keys), "1")


def _check_answers(answers, keys):
    bodies = defaultdict(list)
    for answer in answers:
        assert answer.statuses[-1] == 201, answer
        bodies[answer.number].append(answer)
    assert bodies.keys() == set(range(keys))
    for given in bodies.values():
        assert len(given) == ASKS
        assert len({answer.body for answer in given}) == 1, given
        assert [answer.replayed for answer in given].count(False) == 1, given
    stores = Counter(answer.body.split('"store":"')[1].split('"')[0] for answer in answers)
    assert stores["redis"], "Redis decided while it lived"
    assert stores["dynamodb"], "and DynamoDB while it didn't"
