"""One execution environment: initialised once, invoked many times, made anew when its process is lost.

As on AWS (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html):

- The init phase may take ten seconds and is not part of the first invocation's time. If it fails or takes longer,
  it is done again as a part of that invocation, within the function's timeout, and an error is its answer.
- After a timeout or a crash the process is gone, but not the environment: its next invocation starts another
  process, with the same log stream.
"""

import threading
import time
from collections.abc import Mapping

from localstack_process_executor import faults
from localstack_process_executor.function import Answer, Function, Invocation
from localstack_process_executor.report import Spent, log_of, timeout_line
from localstack_process_executor.runtime import Overdue, Runtime
from localstack_process_executor.runtime_api import Answered, Asked, Ended, InitFailed

INIT_TIMEOUT_S = 10.0
# Lambda gives 500 ms to a function with an internal extension, 2,000 ms with an external one.
GRACE_S = 2.0

Outcome = Answered | InitFailed | Ended | Overdue


class StoppedError(Exception):
    """The environment was stopped: start another one."""


class FunctionEnvironment:
    """Runs one invocation at a time.

    Args:
        function: what is run.
        version: the version's number, for the log.
        variables: the process's environment, but for AWS_LAMBDA_RUNTIME_API.
    """

    def __init__(self, function: Function, version: str, variables: Mapping[str, str]) -> None:
        self._function = function
        self._version = version
        self._variables = variables
        self._runtime: Runtime | None = None
        self._init_ms: float | None = None
        self._unreported = ""
        self._busy = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> bytes | None:
        """Do the init phase; None if it went well, else the error object.

        Raises:
            OSError: the interpreter can't be started.
            StoppedError: the environment was stopped meanwhile.
        """
        with self._busy:
            began = time.monotonic()
            runtime = self._begin()
            event = runtime.initialise(INIT_TIMEOUT_S)
            if isinstance(event, Asked):
                self._init_ms = (time.monotonic() - began) * 1000
                return None
            self._give_up(runtime)
            return self._error_of(event, request_id="", timeout_s=INIT_TIMEOUT_S)

    def invoke(self, invocation: Invocation) -> Answer:
        """Run one invocation and return what came of it.

        Raises:
            OSError: the interpreter can't be started.
            StoppedError: the environment was stopped.
        """
        with self._busy:
            began = time.monotonic()
            runtime = self._runtime
            if runtime is None or runtime.ended:
                if runtime is not None:
                    self._give_up(runtime)
                runtime = self._begin()
            outcome = runtime.run(invocation, self._function.timeout_s)
            peak_memory_mb = runtime.peak_memory_mb()
            printed = self._printed(runtime, outcome, invocation)
            init_ms, self._init_ms = self._init_ms, None
            duration_ms = (time.monotonic() - began) * 1000
            spent = Spent(duration_ms, init_ms, self._function.memory_mb, peak_memory_mb)
            return self._answer(outcome, invocation, log_of(invocation.request_id, self._version, printed, spent))

    def stop(self, grace_s: float = GRACE_S, *, at_once: bool = False) -> None:
        """End the environment, after the invocation that is under way unless `at_once`."""
        self._stopped.set()
        idle = not at_once and self._busy.acquire(timeout=INIT_TIMEOUT_S + self._function.timeout_s)
        try:
            if self._runtime is not None:
                self._runtime.stop(grace_s)
        finally:
            if idle:
                self._busy.release()

    def unreported_logs(self) -> str:
        """Return what was printed since the last invocation's log was made."""
        return self._unreported + (self._runtime.take_logs() if self._runtime else "")

    def _begin(self) -> Runtime:
        if self._stopped.is_set():
            raise StoppedError("This environment was stopped: start another one.")
        self._runtime = runtime = Runtime(self._function, self._variables)
        if self._stopped.is_set():  # meanwhile, by someone who saw no process to stop
            self._give_up(runtime)
            raise StoppedError("This environment was stopped while it started: start another one.")
        return runtime

    def _give_up(self, runtime: Runtime) -> None:
        runtime.kill()
        self._unreported += runtime.take_logs()
        self._runtime = None

    def _printed(self, runtime: Runtime, outcome: Outcome, invocation: Invocation) -> str:
        if not isinstance(outcome, Answered):
            self._give_up(runtime)
        printed, self._unreported = self._unreported + (self._runtime.take_logs() if self._runtime else ""), ""
        if isinstance(outcome, Overdue):
            printed += timeout_line(invocation.request_id, self._function.timeout_s)
        return printed

    def _answer(self, outcome: Outcome, invocation: Invocation, logs: str) -> Answer:
        if isinstance(outcome, Answered):
            return Answer(outcome.payload, outcome.is_error, logs)
        error = self._error_of(outcome, invocation.request_id, self._function.timeout_s)
        return Answer(error, is_error=True, logs=logs)

    @staticmethod
    def _error_of(event: InitFailed | Ended | Overdue, request_id: str, timeout_s: float) -> bytes:
        match event:
            case InitFailed(payload):
                return payload
            case Ended(status):
                return faults.ended(request_id, status)
            case Overdue():
                return faults.timed_out(request_id, timeout_s)
