"""An engine that is a process of ours, on a loopback socket which is bound before it starts."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tidegate_local import ports
from tidegate_local.engines import health
from tidegate_local.engines.engine import PORT, PROCESS, Engine, EngineName
from tidegate_local.engines.health import Health
from tidegate_local.errors import StartError, log_tail
from tidegate_local.layout import StateFolder
from tidegate_local.processes import is_running, spawn, stop
from tidegate_local.registry import ManagedProcess, ProcessRegistry

_POLL_TIMEOUT_S = 1.0
# How long an engine that runs may take to say that it is well.
_PATIENCE_S = 5.0
# All that the engine's process gets from the developer's environment: engines hand their own on to functions.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
_NEXT = "`make doctor` looks at this machine; `make down && make up` starts anew."


class ProcessEngine(ABC):
    """Starts an engine's process at 4566 (or where it ran before), else at the next free port, and waits for it."""

    name: EngineName
    start_deadline_s = 30.0

    @abstractmethod
    def build(self) -> str:
        """Name what an engine is made of: a running one of another make is replaced, not reused."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The words that start it; it finds its listening socket as file descriptor `ports.ENGINE_SOCKET`."""

    @abstractmethod
    def environment(self, folder: StateFolder, port: int) -> Mapping[str, str]:
        """Its settings, beside what any engine gets."""

    def ready(self, url: str) -> Health | str:
        """Its health once it may be used; a string is the reason why not yet."""
        return health.ask(url, _POLL_TIMEOUT_S)

    def preparing(self, folder: StateFolder) -> str | None:  # noqa: ARG002 - as every kind does
        """What has to be installed first, if anything."""
        return None

    def ensure(self, folder: StateFolder, registry: ProcessRegistry) -> Engine:
        """Return it running.

        Raises:
            StartError: it died or stayed silent while starting; the message has the end of its log.
        """
        running = registry.running(PROCESS)
        if running and running.build == self.build():
            found = health.ask(running.url, timeout_s=_PATIENCE_S)
            if isinstance(found, Health):
                return self._engine(found, running)
        before = registry.find(PROCESS)
        registry.stop(PROCESS)
        return self._start(folder, registry, first_port=(before and urlsplit(before.url).port) or PORT)

    def _engine(self, found: Health, process: ManagedProcess) -> Engine:
        return Engine(self.name, found.software, process.url, found.version, process)

    def _start(self, folder: StateFolder, registry: ProcessRegistry, first_port: int) -> Engine:
        command, log = self.command(), folder.logs / "engine.log"
        folder.engine_scratch.mkdir(parents=True, exist_ok=True)
        with ports.listen_from(first_port) as listener:
            port = int(listener.getsockname()[1])
            inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
            identity = spawn(
                command,
                env=inherited | {"TMPDIR": str(folder.engine_scratch)} | dict(self.environment(folder, port)),
                log=log,
                inherit=(listener.fileno(), ports.ENGINE_SOCKET),
            )
        process = ManagedProcess(PROCESS, identity, f"http://{ports.LOOPBACK}:{port}", self.build())
        try:
            registry.record(process)
            return self._engine(self._wait(process, log), process)
        except BaseException:
            stop(identity)
            registry.stop(PROCESS)
            raise

    def _wait(self, process: ManagedProcess, log: Path) -> Health:
        deadline = time.monotonic() + self.start_deadline_s
        while time.monotonic() < deadline:
            # The socket listens since before the process was born, so a call waits in its backlog meanwhile.
            found = self.ready(process.url)
            if isinstance(found, Health):
                return found
            if not is_running(process.identity):
                raise StartError(f"The engine died while starting. The end of its log, {log_tail(log)}\n{_NEXT}")
            time.sleep(0.02)
        raise StartError(
            f"The engine did not answer within {self.start_deadline_s:.0f} s. The end of its log, "
            f"{log_tail(log)}\n{_NEXT}"
        )
