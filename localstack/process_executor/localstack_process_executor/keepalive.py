"""Keeps LocalStack's keepalive timers from delaying its shutdown (LocalStack 4.14).

LocalStack starts a `threading.Timer` of LAMBDA_KEEPALIVE_MS after each invocation, and stops the environment when it
fires: idle expiry. These are no daemon threads, so at the end the interpreter waits for each one that nobody
cancelled; an environment that is stopped in the midst of an invocation leaves one behind.
"""

import threading
from collections.abc import Callable

from localstack.runtime import hooks


class DaemonTimer(threading.Timer):
    """A timer for which the interpreter doesn't wait."""

    def __init__(self, interval: float, function: Callable[[], None]) -> None:
        super().__init__(interval, function)
        self.daemon = True


@hooks.on_infra_start()
def make_keepalive_timers_daemons() -> None:
    """Have LocalStack make its environments' timers of this class."""
    from localstack.services.lambda_.invocation import execution_environment  # noqa: PLC0415 - not before it is up

    execution_environment.Timer = DaemonTimer
