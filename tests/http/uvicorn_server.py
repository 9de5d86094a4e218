"""A real uvicorn process that serves an application of the tests."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.harness.ports import free_port
from tests.harness.server_process import ServerProcess

_START_DEADLINE_S = 30.0
_ROOT = Path(__file__).parents[2]


class UvicornServer:
    """`python -m uvicorn APPLICATION` on a loopback port of its own; a context manager that always ends it.

    The path `health` of the application must answer without asking a store.
    """

    health = "/health"

    def __init__(self, application: str, log: Path, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = ServerProcess(
            [sys.executable, "-m", "uvicorn", application, "--port", str(self.port), *arguments],
            log=log,
            env=self._environment(variables),
        )

    @property
    def running(self) -> bool:
        return self._process.running

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self._process.launch()
            self._process.wait_until(self._answers, deadline_s=_START_DEADLINE_S)
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()

    def log_tail(self, lines: int = 40) -> str:
        return self._process.log_tail(lines)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self.health}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    @staticmethod
    def _environment(variables: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "PYTHONPATH": path, **variables}
