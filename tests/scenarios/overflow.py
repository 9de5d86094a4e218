"""Exports over their limit, while the workers that run them are killed in mid-run, and Redis once.

    python -m tests.scenarios.overflow

Each is asked for with an idempotency key by one of ten clients, one after the other. What the limit refuses is
queued. Then every answer is read where its 202 said it would be.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import httpx

from tests.harness.dynamodb import DynamoServer
from tests.harness.queues import Queues
from tests.harness.redis_server import RedisServer
from tests.harness.server_process import ServerProcess
from tests.http.uvicorn_server import UvicornServer

_STALLED_S = 120.0
_AWS = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"} | dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test"
)


@dataclass(frozen=True)
class Plan:
    """What is asked for, and what is done to it."""

    exports: int = 1000
    clients: int = 10
    rate: str = "20/s"
    kills: int = 5
    workers: int = 2
    # An invocation's time, after which its claims stand ten seconds more, and a message's absence.
    timeout_ms: int = 6000
    visibility_s: int = 8
    together: bool = False  # all kills soon after each other, so that what they leave is waited for once

    @property
    def hangs_after(self) -> str:
        """After how many runs a worker is killed in the next one's midst: at even distances, if not together."""
        apart = [self.exports * (2 * kill + 1) // (2 * self.kills) for kill in range(self.kills)]
        return ",".join(map(str, range(self.exports // 2, self.exports // 2 + self.kills) if self.together else apart))


@dataclass(frozen=True)
class Outcome:
    """What became of the exports."""

    plan: Plan
    accepted: Mapping[int, str]  # where the answers of those that were queued are
    answers: Mapping[int, tuple[int, int, str]]  # status, number and client as the answer has them
    effects: Mapping[int, int]  # when each had its effect
    runs: tuple[str, ...]
    kills: int
    redis_kills: int
    left: int
    dead: int
    seconds: float

    @property
    def begun(self) -> Counter[int]:
        return Counter(int(line.split()[1]) for line in self.runs if line.startswith("begun "))

    @property
    def out_of_order(self) -> list[int]:
        """Queued exports that had their effect before an earlier one of their client's."""
        late = []
        for client in range(self.plan.clients):
            mine = [number for number in sorted(self.accepted) if number % self.plan.clients == client]
            late += [b for a, b in pairwise(mine) if self.effects[b] < self.effects[a]]
        return late

    @property
    def busiest_second(self) -> int:
        """The most effects of queued exports in any second."""
        times = sorted(self.effects[number] for number in self.accepted)
        return max((sum(begin <= at < begin + 10**9 for at in times) for begin in times), default=0)


class Run:
    """One run of a plan, on servers of its own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._runs = folder / "runs"
        self._runs.touch()
        self._folder = folder
        self._stack = ExitStack()
        self._kills = self._redis_kills = 0
        self._accepted: dict[int, str] = {}
        self._answers: dict[int, tuple[int, int, str]] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        plan, enter = self._plan, self._stack.enter_context
        self._dynamo, self._redis = enter(DynamoServer()), enter(RedisServer())
        self._effects = self._dynamo.create_table("effects")
        self._queues = Queues.create(self._dynamo.endpoint_url, visibility_s=plan.visibility_s)
        variables = {
            **_AWS,
            "AWS_ENDPOINT_URL": self._dynamo.endpoint_url,
            "TIDEGATE_REDIS_URL": self._redis.url,
            "TIDEGATE_TABLE": self._dynamo.create_library_table(),
            "TIDEGATE_QUEUE_URL": self._queues.requests,
            "TIDEGATE_DEAD_LETTER_URL": self._queues.dead_letters,
            "TIDEGATE_QUEUE_BOUND": "1000",
            "TIDEGATE_QUEUE_EXPIRY": "15min",
            "TIDEGATE_DECISION_BUDGET_MS": "3000",
            "TIDEGATE_TRUST_API_KEY_HEADER": "1",
            "TIDEGATE_SHED": "off",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "EFFECTS": self._effects,
            "RUNS": str(self._runs),
            "RATE": plan.rate,
            "TIMEOUT_MS": str(plan.timeout_ms),
        }
        self._api = enter(UvicornServer("tests.scenarios.overflow_shop:app", self._folder / "api.log", **variables))
        self._client = enter(httpx.Client(base_url=self._api.url, timeout=60))
        hanging = variables | {"HANGS_AFTER": plan.hangs_after}
        self._workers = [self._worker(number, hanging) for number in range(plan.workers)]

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def outcome(self) -> Outcome:
        """Ask for everything, wait until all has run, and read the answers."""
        began = time.monotonic()
        with self._killing(), ThreadPoolExecutor(self._plan.clients) as pool:
            list(pool.map(self._ask_for_all, range(self._plan.clients)))
            self._wait_for_effects()
            list(pool.map(self._read, self._accepted.items()))
        return Outcome(
            self._plan,
            self._accepted,
            self._answers,
            {int(i["pk"]["S"]): int(i["at"]["N"]) for i in self._dynamo.items(self._effects)},
            tuple(self._runs.read_text().splitlines()),
            self._kills,
            self._redis_kills,
            self._queues.messages(),
            self._queues.messages(self._queues.dead_letters),
            time.monotonic() - began,
        )

    def _worker(self, number: int, variables: Mapping[str, str]) -> ServerProcess:
        log = self._folder / f"worker-{number}.log"
        worker = ServerProcess(
            [sys.executable, "-m", "tests.scenarios.overflow_worker"],
            log=log,
            env={**os.environ, **variables, "AWS_LAMBDA_FUNCTION_NAME": "worker"},
        )
        self._stack.callback(worker.kill)
        worker.launch()
        return worker

    def _ask_for_all(self, client: int) -> None:
        for number in range(client, self._plan.exports, self._plan.clients):
            headers = {"x-api-key": f"client-{client}", "idempotency-key": f"export-{number}"}
            answer = self._client.post(f"/exports/{number}", headers=headers)
            if answer.status_code == 202:
                self._accepted[number] = answer.headers["location"]
            else:
                self._answers[number] = _told(answer)

    def _read(self, accepted: tuple[int, str]) -> None:
        number, location = accepted
        headers = {"x-api-key": f"client-{number % self._plan.clients}"}
        ends = time.monotonic() + _STALLED_S
        while (answer := self._client.get(location, headers=headers)).status_code == 202:
            if time.monotonic() > ends:
                raise TimeoutError(f"export {number} is still {answer.text}")
            time.sleep(0.1)
        self._answers[number] = _told(answer)

    def _wait_for_effects(self) -> None:
        seen, since = 0, time.monotonic()
        while seen < self._plan.exports:
            now = len(self._dynamo.items(self._effects))
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > _STALLED_S:
                raise TimeoutError(f"{seen} of {self._plan.exports} have run; {self._workers[0].log_tail()}")
            time.sleep(0.2)

    @contextmanager
    def _killing(self) -> Iterator[None]:
        """Kill a worker wherever one hangs, and Redis at the second of these."""
        ended = threading.Event()
        with ThreadPoolExecutor(1) as killer:
            done = killer.submit(self._kill_until, ended)
            try:
                yield
            finally:
                ended.set()
                done.result()

    def _kill_until(self, ended: threading.Event) -> None:
        killed: set[str] = set()
        while not ended.wait(0.05):
            hanging = [line for line in self._runs.read_text().splitlines() if line.startswith("hangs ")]
            for line in set(hanging) - killed:
                killed.add(line)
                self._kill(int(line.split()[2]))

    def _kill(self, pid: int) -> None:
        """End the process that hangs by SIGKILL, and start another one; with the second of them Redis dies, too."""
        [worker] = [w for w in self._workers if w.running and w.pid == pid]
        worker.kill()
        self._kills += 1
        if self._kills == 2:
            self._redis.kill()
            self._redis_kills += 1
        elif not self._redis.running:
            self._redis.start()
        worker.launch()


def run(plan: Plan, folder: Path) -> Outcome:
    """Run a plan in a folder for what its processes write."""
    with Run(plan, folder) as begun:
        return begun.outcome()


def faults(outcome: Outcome) -> list[str]:
    """What is wrong; nothing if all is well."""
    numbers = set(range(outcome.plan.exports))
    clients = defaultdict(set)
    for number, (_, _, principal) in outcome.answers.items():
        clients[number % outcome.plan.clients].add(principal)
    statuses = Counter(status for status, _, _ in outcome.answers.values())
    checks = {
        "an effect for each export": set(outcome.effects) == numbers,
        "an answer for each export": set(outcome.answers) == numbers,
        f"only 201: {dict(statuses)}": set(statuses) == {201},
        "each its own answer": all(told == number for number, (_, told, _) in outcome.answers.items()),
        "each its own client": all(len(named) == 1 for named in clients.values()),
        f"in order: {outcome.out_of_order[:5]}": not outcome.out_of_order,
        f"workers killed: {outcome.kills}": outcome.kills == outcome.plan.kills,
        f"Redis killed: {outcome.redis_kills}": outcome.redis_kills == 1,
        f"begun again only what was killed: {outcome.begun - Counter(numbers)}": _begun_as_often_as_killed(outcome),
        f"nothing left in the queue: {outcome.left}": outcome.left == 0,
        f"nothing given up: {outcome.dead}": outcome.dead == 0,
    }
    return [what for what, holds in checks.items() if not holds]


def _begun_as_often_as_killed(outcome: Outcome) -> bool:
    """Only what was killed in mid-run was begun twice."""
    again = Counter({number: times - 1 for number, times in outcome.begun.items() if times > 1})
    return again == Counter(int(line.split()[1]) for line in outcome.runs if line.startswith("hangs "))


def _told(answer: httpx.Response) -> tuple[int, int, str]:
    body = answer.json()
    return answer.status_code, body.get("number", -1), body.get("principal", "")


def main() -> None:
    plan = Plan()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(plan, Path(folder))
    begun = sum(outcome.begun.values())
    print(  # noqa: T201  a program's output
        f"{plan.exports} exports by {plan.clients} clients over {plan.rate}: {len(outcome.accepted)} were queued, "
        f"{plan.workers} workers, {outcome.kills} killed in mid-run, Redis killed {outcome.redis_kills} time(s)\n"
        f"effects {len(outcome.effects)}, runs begun {begun}, answers 201 "
        f"{sum(status == 201 for status, _, _ in outcome.answers.values())}, out of order {len(outcome.out_of_order)}, "
        f"left {outcome.left}, dead {outcome.dead}\n"
        f"{outcome.seconds:.0f} s; the busiest second had {outcome.busiest_second} queued runs"
    )
    wrong = faults(outcome)
    sys.exit("\n".join(["not as it should be:", *wrong]) if wrong else 0)


if __name__ == "__main__":
    main()
