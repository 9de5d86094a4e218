"""A fleet of a fixed capacity: real handler processes, each one request at a time, and a bounded queue before them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness.server_process import ServerProcess

_ROOT = Path(__file__).parents[2]
_START_DEADLINE_S = 60.0


class Fleet:
    """An asynchronous context manager that starts the environments and always ends them.

    Args:
        size: environments, and so the requests that it runs at once.
        queue: requests that may wait for one to be free; more are turned away at the door.
        variables: the environments' own.
    """

    def __init__(self, size: int, queue: int, variables: Mapping[str, str]) -> None:
        self.size = size
        self._queue: asyncio.Queue[tuple[dict[str, Any], asyncio.Future[dict[str, Any]]]] = asyncio.Queue(queue)
        self._folder = tempfile.TemporaryDirectory(prefix="storm-")
        self._socket = str(Path(self._folder.name) / "socket")
        self._polling: set[asyncio.Task[None]] = set()
        self._processes = [self._process(number, variables) for number in range(size)]

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_unix_server(self._polled, self._socket, limit=2**20)
            for process in self._processes:
                process.launch()
            await self._all_poll()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def send(self, event: dict[str, Any]) -> asyncio.Future[dict[str, Any]] | None:
        """Queue an event, and return what becomes its answer; None if the queue is full."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((event, answer))
        except asyncio.QueueFull:
            return None
        return answer

    async def warm(self, event: dict[str, Any]) -> None:
        """Let every environment answer once, so that none of them starts cold later: all at once, each takes one."""
        answers = [self.send(event) for _ in range(self.size)]
        await asyncio.gather(*filter(None, answers))

    def lines(self) -> list[dict[str, Any]]:
        """What the environments have logged of requests."""
        texts = [text for process in self._processes for text in process.log.read_text(errors="replace").splitlines()]
        said = [json.loads(text) for text in texts if text.startswith("{")]
        return [line for line in said if line.get("message") == "request"]

    async def _all_poll(self) -> None:
        ends = time.monotonic() + _START_DEADLINE_S
        while len(self._polling) < self.size:
            if time.monotonic() > ends:
                raise RuntimeError(f"an environment isn't ready:\n{self._processes[0].log_tail()}")
            await asyncio.sleep(0.02)

    async def _polled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One environment asks for events: it gets the oldest, and the next one when it has answered."""
        self._polling.add(asyncio.current_task())  # type: ignore[arg-type]  # a callback of a server has a task
        try:
            while True:
                event, answer = await self._queue.get()
                writer.write(json.dumps(event).encode() + b"\n")
                said = await reader.readline()
                if not answer.done():
                    answer.set_result(json.loads(said))
        finally:
            writer.close()
            await writer.wait_closed()

    async def _close(self) -> None:
        for task in self._polling:
            task.cancel()
        await asyncio.gather(*self._polling, return_exceptions=True)
        self._server.close()
        for process in self._processes:
            process.kill()
        self._folder.cleanup()

    def _process(self, number: int, variables: Mapping[str, str]) -> ServerProcess:
        environ = {
            **os.environ,
            "AWS_LAMBDA_FUNCTION_NAME": "storm",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
            **variables,
        }
        argv = [sys.executable, "-m", "tests.scenarios.storm_environment", self._socket]
        return ServerProcess(argv, log=Path(self._folder.name) / f"log-{number}", env=environ)
