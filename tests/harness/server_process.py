"""A server as a process of its own: started, signalled, and never left behind."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class ServerProcess:
    """One server process with its log; `launch` may be called again after `kill`.

    A watcher shell reads a pipe from this process and kills the server when the pipe closes: a test run
    that is itself SIGKILLed leaves no server behind.
    """

    def __init__(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.log = log
        self._env = dict(env) if env is not None else None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.argv[0]} is not running.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.argv[0]} is running already (pid {self.pid}).")
        self.kill()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C belongs to the test run, which then ends its servers itself
            )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill -KILL "$1" 2>/dev/null', "watcher", str(self.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until(self, answers: Callable[[], bool], *, deadline_s: float) -> None:
        """Polls until `answers()`; RuntimeError with the log's tail if the process ends or time is up."""
        ends = time.monotonic() + deadline_s
        while not answers():
            if not self.running:
                raise RuntimeError(f"{self.argv[0]} ended while starting:\n{self.log_tail()}")
            if time.monotonic() > ends:
                raise RuntimeError(f"{self.argv[0]} wasn't ready in {deadline_s} s:\n{self.log_tail()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """SIGSTOP; returns when the process has really stopped. Connections stay open and nothing answers."""
        if not self._frozen:
            os.kill(self.pid, signal.SIGSTOP)
            os.waitpid(self.pid, os.WUNTRACED)
            self._frozen = True

    def cont(self) -> None:
        """SIGCONT; what was sent meanwhile is answered now."""
        if self._frozen:
            os.kill(self.pid, signal.SIGCONT)
            self._frozen = False

    def kill(self) -> None:
        """SIGKILL (also of a stopped process); returns when it is gone. Does nothing if there is none."""
        if self._watcher is not None and self._watcher.stdin is not None:
            self._watcher.kill()
            self._watcher.wait()
            self._watcher.stdin.close()
            self._watcher = None
        if self._process is not None:
            self.cont()
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class SignalledServer(ABC):
    """A server for tests, as a context manager: started on entry, closed on exit, and hurt by signals between.

    A server of its own kind says how it starts and what closing it removes.
    """

    _process: ServerProcess

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def start(self) -> None:
        """Starts it and returns when it answers; RuntimeError with the log's tail otherwise."""

    @abstractmethod
    def close(self) -> None:
        """Ends it for good, and removes what it left."""

    def kill(self) -> None:
        """SIGKILL: connections break, the port refuses, everything it held is gone."""
        self._process.kill()

    def stop(self) -> None:
        """SIGSTOP: connections stay open, new ones are accepted by the kernel, nothing answers."""
        self._process.stop()

    def cont(self) -> None:
        """SIGCONT: goes on, and answers what was sent meanwhile."""
        self._process.cont()
