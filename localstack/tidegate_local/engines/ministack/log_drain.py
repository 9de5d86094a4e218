"""Keeps MiniStack from waiting 50 ms per request for a log line that doesn't come."""

from functools import partialmethod

from ministack.core.lambda_runtime import Worker

# After each answer of a function the engine collects what it wrote to stderr: it waits `first_line_wait` for
# a first line, then until none has come for `idle_confirm`. The function writes its lines before its answer,
# so they are in the pipe by then. What is late all the same is not lost: it is logged with the worker's
# next invocation. With the engine's defaults (50 ms and 5 ms) a silent handler of 3 ms takes 55 ms.
FIRST_LINE_WAIT_S = 0.002
IDLE_CONFIRM_S = 0.002


def install() -> None:
    """Lower the defaults in this process; call it once, before the engine serves."""
    drain = Worker._drain_stderr_bounded  # noqa: SLF001 - the default to lower is that method's
    Worker._drain_stderr_bounded = partialmethod(  # noqa: SLF001 - see above
        drain, first_line_wait=FIRST_LINE_WAIT_S, idle_confirm=IDLE_CONFIRM_S
    )
