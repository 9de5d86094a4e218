"""The environments that are alive, so that LocalStack's end is the end of all, at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

from localstack_process_executor.environment import FunctionEnvironment


class Living:
    """A set of environments; once it ends, nobody may join it."""

    def __init__(self) -> None:
        self._environments: set[FunctionEnvironment] = set()
        self._lock = threading.Lock()
        self._ending = False

    @property
    def ending(self) -> bool:
        """Whether LocalStack is shutting down: nobody waits for invocations any more."""
        return self._ending

    def add(self, environment: FunctionEnvironment) -> None:
        """Take an environment in; during the shutdown it is stopped before it has started."""
        with self._lock:
            self._environments.add(environment)
            ending = self._ending
        if ending:
            environment.stop(at_once=True)

    def discard(self, environment: FunctionEnvironment) -> None:
        """Forget an environment."""
        with self._lock:
            self._environments.discard(environment)

    def end(self) -> None:
        """Stop all environments side by side: one after the other, each may take its whole grace."""
        with self._lock:
            self._ending = True
            environments = list(self._environments)
        if environments:
            with ThreadPoolExecutor(max_workers=len(environments)) as threads:
                list(threads.map(lambda each: each.stop(at_once=True), environments))


LIVING = Living()
