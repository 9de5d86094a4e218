"""The process that runs a function's code: started, ended, and never left behind."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from localstack_process_executor import bootstrap
from localstack_process_executor.function import Function
from localstack_process_executor.log_pipe import LogPipe

_BOOTSTRAP = str(Path(bootstrap.__file__))


class FunctionProcess:
    """One process, the leader of a session and a group of its own.

    Args:
        function: what to run.
        variables: its whole environment.
        logs: takes its output.
        on_end: called in another thread when it has ended, with its exit status or minus a signal's number.

    Raises:
        OSError: the interpreter can't be started.
    """

    def __init__(
        self, function: Function, variables: Mapping[str, str], logs: LogPipe, on_end: Callable[[int], None]
    ) -> None:
        lifeline, self._lifeline = os.pipe()
        try:
            self._child = subprocess.Popen(  # noqa: S603 - the function's code is what the user wants to run
                [function.python, "-P", _BOOTSTRAP, function.handler, str(lifeline)],
                env=dict(variables),
                cwd=function.task_root,
                stdin=subprocess.DEVNULL,
                stdout=logs.write_end,
                stderr=logs.write_end,
                pass_fds=(lifeline,),
                start_new_session=True,
            )
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        self._on_end = on_end
        threading.Thread(target=self._watch, name=f"function-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its pid, and its group's."""
        return self._child.pid

    def peak_memory_mb(self) -> int:
        """Return the most that it had in memory up to now; 0 where the system doesn't say."""
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{self.pid}/status").read_text()
            kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
            return int(kilobytes) // 1024
        return 0

    def terminate(self) -> None:
        """Ask it to end."""
        self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, and all that it started and left in its group, at once."""
        if self._child.returncode is None:
            self._kill_group()

    def wait(self, within_s: float) -> bool:
        """Wait for its end; tell whether it has come."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(within_s)
        return self._child.returncode is not None

    def _watch(self) -> None:
        status = self._child.wait()
        self._kill_group()
        os.close(self._lifeline)
        self._on_end(status)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
