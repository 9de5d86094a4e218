"""Smoke tests of a version: it is invoked by its number, before any client reaches it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from functions.rollout.invoking import ANSWER_WITHIN_S, Answer, BusyError, Kind, invoked
from functions.rollout.order import Check, Target
from functions.rollout.patience import Patience

_BATCH = "an empty batch"
# Several attempts, because a busy moment is no reason to refuse a version.
_TRIES = 3
_BETWEEN_S = 1.0
# How often a request to stop is looked for.
_LOOK_S = 1.0
# An address that no client has (RFC 5737); on AWS the gateway sets a client's, and nothing else sets this one.
_SOURCE_IP = "192.0.2.1"

_NO_CHECKS: Mapping[str, Sequence[Check]] = MappingProxyType({})

_WORSE: tuple[Kind, ...] = ("answer", "crash", "silence")


class Fault(NamedTuple):
    """A check that a version failed."""

    function: str
    version: str
    question: str
    kind: Kind
    said: str

    def __str__(self) -> str:
        return f"{self.function} version {self.version}, {self.question}: {self.said}."

    def is_worse_than(self, other: Fault) -> bool:
        """Whether it is worse than another version's fault in the same check."""
        return _WORSE.index(self.kind) > _WORSE.index(other.kind)


def request(target: str, sent_by: str = "release", source_ip: str = _SOURCE_IP) -> dict[str, Any]:
    """Return the event that API Gateway (REST) sends for a GET of a path, with or without a query."""
    path, _, query = target.partition("?")
    parameters = parse_qs(query, keep_blank_values=True)
    path = unquote(path)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {"Host": "release.tidegate", "User-Agent": "tidegate-release", "Cache-Control": "no-cache"},
        "multiValueHeaders": {},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": "GET",
            "path": path,
            "stage": "v1",
            "requestId": f"release-{time.time_ns()}",
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": source_ip, "userAgent": "tidegate-release"},
            # Only callers that may invoke the function can write this. It shows a release the details of health, and
            # has its replayed requests counted apart.
            "tidegate": sent_by,
        },
        "body": None,
        "isBase64Encoded": False,
    }


class Smoke:
    """Invokes versions by their numbers.

    Args:
        client: boto3's, of Lambda; it gives up after `ANSWER_WITHIN_S`, and retries no invocation.
        checks: what a function is asked, by its name; one without an entry is asked nothing, and a queue's worker
            to take an empty batch.
    """

    def __init__(self, client: Any, checks: Mapping[str, Sequence[Check]] = _NO_CHECKS) -> None:
        self._client = client
        self._checks = checks

    def faults(self, targets: Sequence[Target], patience: Patience) -> list[Fault]:
        """Check all versions at the same time, and return their faults; a version that hangs has one, too.

        Raises:
            StoppedError: a person has asked to stop.
        """
        askings = [_Asking(self._client, target, patience, self._questions(target)) for target in targets]
        for asking in askings:
            asking.start()
        _await(askings, patience)
        return [fault for asking in askings for fault in asking.faults()]

    def warm(self, targets: Sequence[Target], environments: int, patience: Patience) -> list[Fault]:
        """Start so many environments of each version, by as many calls at once; return a fault for each call that hung.

        A version that may be asked nothing isn't started.

        Raises:
            StoppedError: a person has asked to stop.
        """
        warmings = [
            _Warming(self._client, target, patience, question)
            for target in targets
            for question in self._questions(target)[:1]
            for _ in range(environments)
        ]
        for warming in warmings:
            warming.start()
        _await(warmings, patience)
        return list(dict.fromkeys([fault for warming in warmings for fault in warming.faults()]))

    def replay(self, requests: Sequence[tuple[Target, str]], per_s: float, patience: Patience) -> None:
        """Send recorded GETs to versions once more, at a rate; the versions count their outcomes.

        Raises:
            StoppedError: a person has asked to stop.
        """
        todo = iter(requests)
        pace = _Pace(per_s)
        readers = [_Reader(self._client, todo, pace, patience) for _ in range(4)]
        for reader in readers:
            reader.start()
        _await(readers, patience)

    def schema_needed(self, target: Target) -> int | None:
        """Return the schema that a version needs; call it only if the version has passed other checks."""
        body = invoked(self._client, target, request("/health")).body
        needed = body.get("schema_version") if isinstance(body, dict) else None
        return needed if isinstance(needed, int) else None

    def _questions(self, target: Target) -> list[_Question]:
        checks = self._checks.get(target.name)
        return _questions(target) if checks is None else [_Question.of(*check) for check in enumerate(checks, 1)]


def _await(workers: Sequence[_Worker], patience: Patience) -> None:
    """Wait for all workers as long as there is time, unless a person asks to stop."""
    for worker in workers:
        while worker.is_alive() and patience.left_s:
            patience.check()
            worker.join(min(_LOOK_S, patience.left_s))
    for worker in workers:
        if worker.error:
            raise worker.error


class _Worker(Thread):
    """A daemon thread, because its invocation may never return."""

    def __init__(self, client: Any, patience: Patience) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._patience = patience
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # noqa: BLE001  # it is raised in the waiting thread
            self.error = error

    def work(self) -> None:
        raise NotImplementedError


class _Asking(_Worker):
    """Checks one version; failed checks are repeated once or twice."""

    def __init__(self, client: Any, target: Target, patience: Patience, questions: Sequence[_Question]) -> None:
        super().__init__(client, patience)
        self._target, self._questions = target, questions
        self._found: dict[str, Fault | None] = {}
        self._began = 0.0
        self._at: str | None = None
        self._refused = ""

    def work(self) -> None:
        for left in reversed(range(_TRIES)):
            for question in self._questions:
                if question.name not in self._found or self._found[question.name]:
                    self._ask(question)
            failed = [fault for fault in self._found.values() if fault]
            if not failed or not left or any(fault.kind == "silence" for fault in failed):
                return
            time.sleep(min(_BETWEEN_S, self._patience.left_s))

    def faults(self) -> list[Fault]:
        """Return the faults so far; a check that still waits is one, too."""
        found = dict(self._found)
        if self.is_alive() and self._at:
            said = self._refused or f"no answer within {self._waited_s():.0f} s"
            found[self._at] = self._fault(self._at, "silence", said)
        return [fault for fault in found.values() if fault]

    def _ask(self, question: _Question) -> None:
        silent = next((fault for fault in self._found.values() if fault and fault.kind == "silence"), None)
        if silent:
            # Each further check would wait as long.
            self._found[question.name] = silent._replace(question=question.name, said="it wasn't asked any more")
            return
        self._at, self._began, self._refused = question.name, time.monotonic(), ""
        answer = self._answer(question)
        well = question.expected == answer.status if question.expected else not answer.said
        status = "without a statusCode" if answer.status is None else answer.status
        said = answer.said or f"answers {status}: {_shortened(answer.body)}"
        self._found[question.name] = None if well else self._fault(question.name, answer.kind, said)
        self._at = None

    def _answer(self, question: _Question) -> Answer:
        """Invoke the version as soon as Lambda takes the call."""
        while True:
            try:
                return invoked(self._client, self._target, question.event)
            except BusyError as error:
                self._refused = f"couldn't be invoked for {self._waited_s():.0f} s ({error})"
                if self._patience.left_s <= _BETWEEN_S:
                    return Answer(None, None, "silence", self._refused)
            time.sleep(_BETWEEN_S)

    def _fault(self, question: str, kind: Kind, said: str) -> Fault:
        return Fault(self._target.name, self._target.version, question, kind, said)

    def _waited_s(self) -> float:
        return time.monotonic() - self._began


class _Warming(_Worker):
    """Starts one environment."""

    def __init__(self, client: Any, target: Target, patience: Patience, question: _Question) -> None:
        super().__init__(client, patience)
        self._question, self._target = question, target
        self._began = time.monotonic()
        self._silent = False

    def work(self) -> None:
        with suppress(BusyError):  # so many environments run as may
            self._silent = invoked(self._client, self._target, self._question.event).kind == "silence"

    def faults(self) -> list[Fault]:
        """Return a fault if it hung."""
        if not self._silent and not self.is_alive():
            return []
        said = f"no answer within {ANSWER_WITHIN_S} s, while its environments were started"
        return [Fault(self._target.name, self._target.version, self._question.name, "silence", said)]


class _Pace:
    """Paces the calls of several threads."""

    def __init__(self, per_s: float) -> None:
        self._every_s = 1 / per_s
        self._lock = Lock()
        self._next = time.monotonic()

    def wait_s(self) -> float:
        """Take the next turn, and return the seconds until then."""
        with self._lock:
            self._next = max(self._next, time.monotonic()) + self._every_s
            return self._next - self._every_s - time.monotonic()


class _Reader(_Worker):
    """Sends requests as long as there are any, and time."""

    def __init__(self, client: Any, todo: Iterator[tuple[Target, str]], pace: _Pace, patience: Patience) -> None:
        super().__init__(client, patience)
        self._todo, self._pace = todo, pace

    def work(self) -> None:
        while self._patience.left_s and (asked := next(self._todo, None)):
            target, path = asked
            time.sleep(max(0.0, self._pace.wait_s()))
            # An address for each version, so that their replayed requests don't share limits.
            source_ip = f"192.0.2.{2 + int(target.version) % 250}"
            with suppress(BusyError):  # the next one may come through
                invoked(self._client, target, request(path, "replay", source_ip))


class _Question(NamedTuple):
    name: str
    event: Any
    expected: int | None

    @classmethod
    def of(cls, number: int, check: Check) -> _Question:
        """Make the question of a check, which is the so-and-so-manieth of its function."""
        if check.path is None:
            return cls(f"smoke event {number}", check.event, check.status)
        return cls(f"GET {check.path}", request(check.path), check.status or 200)


def _questions(target: Target) -> list[_Question]:
    return [_Question(_BATCH, {"Records": []}, None)] if target.serves == "queue" else []


def _shortened(body: Any) -> str:
    """Return a short text of a body; of problem details (RFC 9457) their `detail`."""
    detail = body.get("detail") if isinstance(body, dict) else None
    return (detail if isinstance(detail, str) else json.dumps(body))[:400].rstrip(".")
