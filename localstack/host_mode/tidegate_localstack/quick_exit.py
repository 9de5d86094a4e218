"""Ends LocalStack's process as soon as it has shut down (LocalStack 4.14).

After "Completed, bye!" the interpreter waits for every thread that is no daemon, and one is there for ever if a signal
comes while a service is still being loaded: CloudWatch's scheduler is then started after it was stopped. Without one,
the interpreter still takes seconds to take a few million objects apart.
"""

import atexit
import logging
import os
import sys
import threading

from localstack.runtime import hooks
from localstack.runtime.current import get_current_runtime


@hooks.on_infra_start()
def exit_after_shutdown() -> None:
    """Leave when the shutdown is over, or when the interpreter comes to its exit handlers, whichever is first."""
    threading.Thread(target=_wait_and_leave, name="quick-exit", daemon=True).start()
    atexit.register(_leave)


def _wait_and_leave() -> None:
    get_current_runtime().stopped.wait()
    _leave()


def _leave() -> None:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(get_current_runtime().exit_code)
