"""A protected application in a process of its own, as a function's environment or as a server; and its log."""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.harness.ports import free_port
from tests.harness.server_process import ServerProcess
from tests.scenarios.places import Place

Face = Literal["function", "server"]
FACES: tuple[Face, ...] = ("function", "server")
_ROOT = Path(__file__).parents[2]
_START_DEADLINE_S = 40.0
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Line:
    """What the library logged of one request; times are seconds of the wall clock."""

    route: str
    outcome: str
    status: int
    store: str | None
    admission_ms: float | None
    duration_ms: float
    began_s: float
    ended_s: float


@dataclass(frozen=True)
class Reply:
    """What a client got, and when."""

    status: int
    headers: dict[str, str]
    body: bytes
    milliseconds: float


class Client:
    """One client's connection to an environment."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)

    def request(self, method: str, path: str, caller: str, key: str | None = None, order: str | None = None) -> Reply:
        headers = {"x-api-key": caller, "content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        began = time.monotonic()
        self._connection.request(method, path, json.dumps({"order": order}) if order else None, headers)
        answer = self._connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        return Reply(answer.status, fields, body, (time.monotonic() - began) * 1000)

    def close(self) -> None:
        self._connection.close()


class Environment:
    """The application of `shop`, wired to a place's stores; a context manager that always ends it.

    As a function it runs one request at a time, as a server (uvicorn) many.
    """

    def __init__(self, face: Face, place: Place, budget_ms: int) -> None:
        self.face = face
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="environment-")
        self._till = Path(self._folder.name) / "till"
        self._read_to = 0
        self._lines: list[Line] = []
        self._till.touch()
        programs: dict[Face, list[str]] = {
            "function": ["tests.scenarios.sandbox", str(self.port)],
            "server": ["uvicorn", "tests.scenarios.shop:app", "--port", str(self.port), "--no-access-log"],
        }
        self._process = ServerProcess(
            [sys.executable, "-m", *programs[face]],
            log=Path(self._folder.name) / "log",
            env=self._variables(place, budget_ms),
        )

    def __enter__(self) -> Self:
        try:
            self._process.launch()
            self._process.wait_until(self._answers, deadline_s=_START_DEADLINE_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def concurrency(self) -> int:
        """How many clients ask it at once."""
        return 1 if self.face == "function" else 8

    def client(self) -> Client:
        return Client(self.port)

    def connects(self, port: int) -> int:
        """How often it has tried to connect to that port."""
        client = self.client()
        counted = json.loads(client.request("GET", "/connects", "observer").body)
        client.close()
        return int(counted.get(str(port), 0))

    def effects(self, order: str) -> int:
        """How often the order was paid."""
        return Counter(self._till.read_text().splitlines())[order]

    def lines(self) -> list[Line]:
        """All requests logged so far, in the order of their ends."""
        whole, _, _ = self._process.log.read_bytes()[self._read_to :].rpartition(b"\n")
        self._read_to += len(whole) + 1 if whole else 0
        for text in whole.splitlines():
            said = json.loads(text) if text.startswith(b"{") else {}
            if said.get("message") == "request":
                self._lines.append(_line(said))
        return self._lines

    def traces(self) -> int:
        """Exceptions that nothing expected, as the log tells them."""
        log = self._process.log.read_text(errors="replace")
        return log.count("Traceback (most recent call last)") + log.count('"unhandled exception"')

    def log_tail(self) -> str:
        return self._process.log_tail(40)

    def close(self) -> None:
        self._process.kill()
        self._folder.cleanup()

    def _answers(self) -> bool:
        client = self.client()
        try:
            return client.request("GET", "/health", "observer").status == 200
        except OSError:
            return False
        finally:
            client.close()

    def _variables(self, place: Place, budget_ms: int) -> dict[str, str]:
        function = {"AWS_LAMBDA_FUNCTION_NAME": "shop"} if self.face == "function" else {}
        return {
            **os.environ,
            **function,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": place.dynamo_url,
            "NO_PROXY": "127.0.0.1,.test",
            **({} if place.names is None else {"HANGING_NAMES": str(place.names.folder)}),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
            "PYTHONUNBUFFERED": "1",
            "TIDEGATE_REDIS_URL": place.redis_url,
            "TIDEGATE_REDIS_CLUSTER": "1" if place.cluster_client else "0",
            "TIDEGATE_TABLE": place.table,
            "TIDEGATE_LOG": "json",
            # A busy machine sheds nobody.
            "TIDEGATE_SHED_WAIT_MS": "30000-60000",
            "TIDEGATE_DECISION_BUDGET_MS": str(budget_ms),
            "TIDEGATE_TRUST_API_KEY_HEADER": "1",
            "TILL": str(self._till),
        }


def _line(said: dict[str, Any]) -> Line:
    ended_s = datetime.fromisoformat(said["timestamp"]).timestamp()
    duration_ms = float(said["duration_ms"])
    return Line(
        said["route"],
        said["outcome"],
        int(said["status"]),
        said.get("store"),
        said.get("admission_ms"),
        duration_ms,
        ended_s - duration_ms / 1000,
        ended_s,
    )
