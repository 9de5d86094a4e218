"""One process with its Runtime API and its log: from its start to its end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from localstack_process_executor.function import Function, Invocation
from localstack_process_executor.function_process import FunctionProcess
from localstack_process_executor.log_pipe import LogPipe
from localstack_process_executor.runtime_api import Answered, Asked, Ended, Event, InitFailed, RuntimeApi, deadline_in


@dataclass(frozen=True)
class Overdue:
    """It was not done in time."""


class Runtime:
    """A process that serves one invocation after another.

    Args:
        function: what it runs.
        variables: its environment, but for AWS_LAMBDA_RUNTIME_API.

    Raises:
        OSError: the interpreter can't be started.
    """

    def __init__(self, function: Function, variables: Mapping[str, str]) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._ended = False
        self._api = RuntimeApi(self._events)
        self._logs = LogPipe()
        try:
            self._process = FunctionProcess(
                function, {**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address}, self._logs, self._on_end
            )
        except OSError:
            self._api.close()
            raise
        finally:
            self._logs.close_write_end()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._ended

    def initialise(self, within_s: float) -> Asked | InitFailed | Ended | Overdue:
        """Wait until it asks for its first invocation, or fails to."""
        event = self._next_event(time.monotonic() + within_s)
        if isinstance(event, Answered):  # an answer without an invocation is refused by the API
            raise TypeError(f"{event} before the first invocation")
        return event

    def run(self, invocation: Invocation, within_s: float) -> Answered | InitFailed | Ended | Overdue:
        """Hand it an invocation and wait for the result."""
        until = time.monotonic() + within_s
        self._api.offer(invocation, deadline_in(within_s))
        while True:
            event = self._next_event(until)
            if not isinstance(event, Asked):
                return event

    def take_logs(self) -> str:
        """Return what it printed since this was last asked."""
        return self._logs.take()

    def peak_memory_mb(self) -> int:
        """Return the most that it had in memory up to now."""
        return self._process.peak_memory_mb()

    def stop(self, grace_s: float) -> None:
        """End it by SIGTERM, and after the grace by SIGKILL.

        While it waits for an invocation, the interpreter sits in the runtime client's C code, and no Python handler
        of SIGTERM runs before that returns (runtimes before 3.12), or the interpreter waits for that thread at its
        exit (3.12 and newer). So the connection on which it waits is closed after the signal: the handler, which
        Python runs first, has its turn, and then nothing keeps the process.
        """
        self._process.terminate()
        self._api.end()
        if not self._process.wait(grace_s):
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(within_s=5)

    def _next_event(self, until: float) -> Event | Overdue:
        try:
            return self._events.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return Overdue()

    def _on_end(self, status: int) -> None:
        self._ended = True
        self._api.close()
        self._events.put(Ended(status))
