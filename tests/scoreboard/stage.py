"""What one cell has for itself: servers of stores with proxies before them, and the contender's processes."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.dynamodb import DynamoServer
from tests.harness.ports import free_port
from tests.harness.redis_server import RedisServer
from tests.harness.server_process import ServerProcess
from tests.harness.tcp_proxy import TcpProxy
from tests.scoreboard import origin
from tests.scoreboard.cell import Situation
from tests.scoreboard.contender import Contender
from tests.scoreboard.place import Family, NotOfferedError, Place
from tests.scoreboard.served import NOT_OFFERED

ROOT = Path(__file__).parents[2]
BYTECODE = ROOT / ".tidegate" / "scoreboard-bytecode"
REDIS_NAME = "redis.test"
_START_DEADLINE_S = 60.0


class Served:
    """One process that serves a contender."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def listens(self) -> bool:
        """Whether it takes connections, which uvicorn does when the application has started."""
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def resident_kib(self) -> int:
        """Its resident memory (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


class Stage:
    """A context manager; all that was begun on it ends with it.

    Args:
        contender, family, situation: the cell.
        dynamo: the DynamoDB, which all cells share; each has a table of its own.

    What a situation puts into its folder before the first process is what that process finds there: with a folder
    `names` Redis is known by a name, whose lookup can hang; with a file `clock` the wall clock can be turned.
    """

    def __init__(self, contender: Contender, family: Family, situation: Situation, dynamo: DynamoServer) -> None:
        self.contender = contender
        self.family = family
        self.situation = situation
        self._dynamo = dynamo
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="scoreboard-")))
            self.redis = self._stack.enter_context(RedisServer())
            self.to_redis = self._stack.enter_context(TcpProxy(self.redis.port))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def to_dynamo(self) -> TcpProxy:
        """The way to DynamoDB."""
        return self._stack.enter_context(TcpProxy(self._dynamo.port))

    @cached_property
    def place(self) -> Place:
        """As the contender is told."""
        host = self.to_redis.host if not (self.folder / "names").exists() else REDIS_NAME
        asked = self.situation
        return Place(
            family=self.family,
            redis_url=f"redis://{host}:{self.to_redis.port}/0",
            dynamodb_url=f"http://{self.to_dynamo.host}:{self.to_dynamo.port}",
            table=self._dynamo.create_library_table(),
            folder=str(self.folder),
            limit=asked.limit,
            ttl_s=asked.ttl_s,
            origin_s=asked.origin_s,
            per_caller=asked.per_caller,
        )

    def serve(self, contender: Contender | None = None, group: str | None = None) -> Served:
        """Start a process, and return when it takes connections.

        Args:
            contender: another one than the cell's.
            group: in whose environment.

        Raises:
            NotOfferedError: the contender has no such feature.
            RuntimeError: it ended or didn't begin to listen; with what it said.
        """
        made = contender or self.contender
        port = free_port()
        process = ServerProcess(
            self.command(made, str(port), group),
            log=self.folder / f"{made.name.replace(' ', '-')}-{port}.log",
            env=self.environment,
        )
        self._stack.callback(process.kill)
        process.launch()
        served = Served(process, port)
        try:
            process.wait_until(served.listens, deadline_s=_START_DEADLINE_S)
        except RuntimeError:
            self._raise_if_not_offered()
            raise
        return served

    def second_redis(self) -> RedisServer:
        """Another Redis, which follows the first one."""
        other = self._stack.enter_context(RedisServer())
        other.command("REPLICAOF", self.redis.host, self.redis.port)
        return other

    def runs(self, name: str) -> int:
        """How often the handler has run for a name."""
        file = self.folder / origin.EFFECTS
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return sum(line.startswith(f"{name} ") for line in lines)

    def tell(self, file: str, *, on: bool) -> None:
        """Let the handlers hold or fail (`origin.HOLD`, `origin.FAIL`), or no longer."""
        if on:
            (self.folder / file).touch()
        else:
            (self.folder / file).unlink(missing_ok=True)

    def command(self, contender: Contender, how: str, group: str | None = None) -> list[str]:
        """What runs a contender, in the Python that has it."""
        return [interpreter(group or contender.group), "-m", "tests.scoreboard.served", contender.name, how]

    @cached_property
    def environment(self) -> dict[str, str]:
        """The processes' variables; their bytecode is kept, whatever this process was told about its own."""
        paths = [str(ROOT), str(ROOT / "layers/tidegate/python")]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")},
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONPYCACHEPREFIX": str(BYTECODE),
            "PYTHONDONTWRITEBYTECODE": "",
            "AWS_ENDPOINT_URL": self.place.dynamodb_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **self.place.variables(),
        }

    def _raise_if_not_offered(self) -> None:
        file = self.folder / NOT_OFFERED
        if file.exists():
            raise NotOfferedError(file.read_text(encoding="utf-8")) from None


def interpreter(group: str | None) -> str:
    """The Python of a group's environment; this one for the checkout's own."""
    return sys.executable if group is None else str(ROOT / f".tidegate/scoreboard-{group}/venv/bin/python")
