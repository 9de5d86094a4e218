"""Runs in the function's process: ties its life to its parent's, then is awslambdaric.

Started by its path, so that the interpreter needs awslambdaric alone:
`python -P bootstrap.py HANDLER LIFELINE`, where LIFELINE is the reading end of a pipe whose writing end only the
parent holds. Whatever way the parent ends, by SIGKILL too, the kernel closes that end.
"""

import fcntl
import os
import select
import signal
import sys
import threading
from pathlib import Path


def main(handler: str, lifeline: int) -> None:
    """Serve invocations until the parent says that there are no more."""
    die_with_parent(lifeline)
    sys.path[:0] = search_path(os.environ["LAMBDA_TASK_ROOT"], os.environ.get("LAMBDA_LAYERS_ROOT"))
    from awslambdaric.__main__ import main as serve  # noqa: PLC0415 - the function's own copy goes first

    sys.argv = ["bootstrap", handler]
    serve(sys.argv)


def search_path(task_root: str, layers_root: str | None) -> list[str]:
    """Return where modules are looked for first, in Lambda's order: the code, then the layers."""
    if layers_root is None:
        return [task_root]
    packages = f"python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    return [task_root, str(Path(layers_root, packages)), str(Path(layers_root, "python"))]


def die_with_parent(lifeline: int) -> None:
    """Have the whole process group killed when the pipe's other end closes.

    On Linux the kernel does it, even if a handler holds the interpreter's lock for ever. PR_SET_PDEATHSIG wouldn't
    do: it acts when the *thread* ends that started the process, and LocalStack's threads come and go.
    """
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - it takes no names
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        # It may have closed before it was watched.
        if select.select([lifeline], [], [], 0)[0]:
            _kill_group()
    else:
        threading.Thread(target=_die_at_end, args=(lifeline,), name="lifeline", daemon=True).start()


def _die_at_end(lifeline: int) -> None:
    os.read(lifeline, 1)
    _kill_group()


def _kill_group() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
