"""Processes that outlive the command which starts them, and the proof that a pid is still theirs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate_local import interruption

_POLL_S = 0.02
# An interrupt whose exception Python has dropped is seen by looking.
_LOOK_EVERY_S = 0.5
_GRACE_S = 5.0


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid together with when it began, because pids are handed out again."""

    pid: int
    began: str


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], log: Path, inherit: tuple[int, int] | None = None
) -> ProcessIdentity:
    """Start a command in a session of its own, with its output in a fresh log file.

    Its pid is its process group's too, so that what it starts can be stopped with it. `inherit` is a file
    descriptor of ours and the number that the child gets it under.

    Raises:
        FileNotFoundError: the command's first word is no executable file.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    wiring: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    if inherit is not None:
        wiring.append((os.POSIX_SPAWN_DUP2, *inherit))
    # Not Popen: it would warn, whenever it is collected, that the child is still running; that is the point.
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(env),
        file_actions=wiring,
        setsid=True,
        setsigdef=[signal.SIGPIPE],  # Python ignores it, and ignoring is inherited
    )
    return ProcessIdentity(pid, _began(pid) or "")


def is_running(process: ProcessIdentity) -> bool:
    """Tell whether this very process (not a later one of the same pid) still runs."""
    _reap(process.pid)
    return bool(process.began) and _began(process.pid, only_living=True) == process.began


def stop(process: ProcessIdentity, grace_s: float = 5.0) -> bool:
    """Stop a process and its group, by SIGTERM and after the grace by SIGKILL; False if it wasn't running."""
    if not is_running(process):
        return False
    _signal_group(process.pid, signal.SIGTERM)
    # A stopped process (SIGSTOP) takes its SIGTERM only once it may run again.
    _signal_group(process.pid, signal.SIGCONT)
    _wait_for_end(process, grace_s)
    # Also when it ended by itself: whatever it started and left behind is in its group.
    _signal_group(process.pid, signal.SIGKILL)
    _wait_for_end(process, grace_s)
    return True


def _wait_for_end(process: ProcessIdentity, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        # Gone already; macOS says "not permitted" of a group that has only zombies.
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Started by an earlier command: its parent is now init, which reaps it.
        return


def _began(pid: int, *, only_living: bool = False) -> str | None:
    """When a process began, in whatever form the system gives; None for none (or for a zombie, if asked)."""
    if sys.platform == "linux":
        try:
            # After the command's name in parentheses, which may hold spaces and parentheses itself.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        status, began = fields[0], f"{_boot_id()}:{fields[19]}"
    else:
        shown = subprocess.run(  # noqa: S603 - fixed words and a number
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        if not shown:
            return None
        status, _, began = shown.partition(" ")
    return None if only_living and status.startswith("Z") else began.strip()


def _boot_id() -> str:
    """Clock ticks since boot repeat after a reboot; with the boot's id they don't."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def await_end(child: "subprocess.Popen[bytes]", send: Callable[[signal.Signals], None]) -> int:
    """Wait for a command's end and return its status; whoever is interrupted meanwhile leaves no command behind.

    `send` sends it a signal, and whatever else is to have it.
    """
    try:
        while True:
            interruption.check()
            with suppress(subprocess.TimeoutExpired):
                return child.wait(_LOOK_EVERY_S)
    except BaseException:
        try:
            send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_S)
        finally:  # a second interrupt waits no longer
            send(signal.SIGKILL)
            child.wait()
        raise


class CommandError(Exception):
    """A foreground command ended with an error; `status` is its exit status."""

    def __init__(self, command: Sequence[str], status: int) -> None:
        super().__init__(f"{Path(command[0]).name} ended with status {status}")
        self.status = status


def run_logged(command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path, append: bool = False) -> None:
    """Run a command to its end with its output in a log file; an interrupt takes its whole group along.

    Raises:
        CommandError: it ended with another status than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if append else "wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own commands, given as a list
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status = await_end(child, lambda number: _signal_group(child.pid, number))
    if status != 0:
        raise CommandError(command, status)
