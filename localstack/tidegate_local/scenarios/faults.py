"""What can be done to the Redis of a local cloud: killed, hung, resumed, started again empty on its port."""

import os
import signal
import time
from dataclasses import dataclass, replace

from tidegate_local.engines import containers
from tidegate_local.errors import ScenarioError, StartError
from tidegate_local.layout import StateFolder, exclusive
from tidegate_local.processes import is_running
from tidegate_local.redis import server as redis_server
from tidegate_local.registry import ManagedProcess, ProcessRegistry
from tidegate_local.state import LocalState

_GONE_WITHIN_S = 5.0


@dataclass(frozen=True)
class RedisFaults:
    """Faults of the Redis that `tidegate up` started for a state folder; `tidegate status` tells them as they are."""

    folder: StateFolder

    def kill(self) -> None:
        """End it by SIGKILL: connections are reset, new ones refused.

        Raises:
            ScenarioError: it isn't this cloud's own, or doesn't run.
        """
        process = self._running()
        os.kill(process.identity.pid, signal.SIGKILL)
        deadline = time.monotonic() + _GONE_WITHIN_S
        while is_running(process.identity) and time.monotonic() < deadline:
            time.sleep(0.01)

    def hang(self) -> None:
        """Stop it by SIGSTOP: it accepts connections and never answers.

        Raises:
            ScenarioError: it isn't this cloud's own, or doesn't run.
        """
        os.kill(self._running().identity.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let one that hangs go on, with all that it knew; nothing happens to one that doesn't hang.

        Raises:
            ScenarioError: it isn't this cloud's own, or doesn't run.
        """
        os.kill(self._running().identity.pid, signal.SIGCONT)

    def restart_empty(self) -> None:
        """Kill it, if it runs, and start it on the same port: no key, no script, no old connection.

        Raises:
            BusyError: `tidegate up` or a release is at work on the cloud.
            ScenarioError: it isn't this cloud's own.
            StartError: it doesn't start, or its port was taken meanwhile.
        """
        registry = ProcessRegistry(self.folder.processes_file)
        with exclusive(self.folder.path / "lock", "at work on this cloud"):
            before = self._process(registry)
            if is_running(before.identity):
                self.kill()
            started = redis_server.restart(self.folder, registry)
            if started.url != before.url:
                raise StartError(f"Redis's port was taken meanwhile: it is at {started.url}. Deploy with `make up`.")
            self._note(started)

    def heal(self) -> None:
        """Undo whatever was done: one that hangs goes on, one that is dead starts empty.

        Raises:
            BusyError: `tidegate up` or a release is at work on the cloud, and Redis is dead.
            ScenarioError: it isn't this cloud's own.
            StartError: it doesn't start, or its port was taken meanwhile.
        """
        if is_running(self._process(ProcessRegistry(self.folder.processes_file)).identity):
            self.resume()
        else:
            self.restart_empty()

    def _running(self) -> ManagedProcess:
        process = self._process(ProcessRegistry(self.folder.processes_file))
        if not is_running(process.identity):
            raise ScenarioError("Redis is not running. Start it again with `make up`.")
        return process

    def _process(self, registry: ProcessRegistry) -> ManagedProcess:
        process = registry.find(redis_server.NAME)
        if process is None and containers.recorded(self.folder):
            raise ScenarioError(
                "Redis is a container here, which a scenario can't kill or hang as it does a process. Break one on "
                "another engine (`make down && make up ENGINE=localstack-host`); storms and releases work here."
            )
        if process is None:
            raise ScenarioError(
                "Redis is not this cloud's own, so it is not broken on purpose. "
                "Start the cloud with `make up`, and with REDIS_URL unset."
            )
        return process

    def _note(self, started: redis_server.RedisServer) -> None:
        """Tell the new process's id to those who read the state file."""
        state = LocalState.read(self.folder.state_file)
        if state and started.process:
            pids = {**state.pids, "redis": started.process.identity.pid}
            replace(state, pids=pids).write(self.folder.state_file)
