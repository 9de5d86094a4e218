"""Real concurrency: one function in several processes and threads, all released at the same moment."""

import multiprocessing
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

_GRACE_S = 2.0


@dataclass(frozen=True)
class Worker:
    """Which of all the threads this is, and what its process has prepared."""

    process: int
    thread: int
    index: int  # over all processes, from 0
    shared: Any = None


@dataclass(frozen=True)
class _Job:
    function: Callable[..., Any]
    args: Sequence[Any]
    prepare: Callable[..., Any] | None


def run_at_once(
    function: Callable[..., Any],
    *args: Any,
    processes: int = 8,
    threads: int = 4,
    prepare: Callable[..., Any] | None = None,
    deadline_s: float = 60.0,
) -> list[Any]:
    """Calls `function(worker, *args)` in processes x threads, released by one barrier; results by `worker.index`.

    Everything passed and returned is pickled, so the functions are module-level ones. `prepare(*args)` runs once per
    process before the barrier (to connect, say); its result is `worker.shared`. RuntimeError with the first traceback
    if any call raised or a process died; TimeoutError after `deadline_s`, when every process has been killed.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes * threads)
    pipes: dict[Connection, SpawnProcess] = {}
    try:
        for number in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(
                target=_run_threads,
                args=(theirs, barrier, number, threads, _Job(function, args, prepare)),
                daemon=True,
            )
            child.start()
            theirs.close()
            pipes[ours] = child
        results = _collect(pipes, ends=time.monotonic() + deadline_s, deadline_s=deadline_s)
        for child in pipes.values():
            child.join(_GRACE_S)
        return results
    finally:
        for pipe, child in pipes.items():
            pipe.close()
            child.kill()  # those that have ended don't mind
            child.join()
            child.close()


def _collect(pipes: dict[Connection, SpawnProcess], *, ends: float, deadline_s: float) -> list[Any]:
    answers: dict[int, Any] = {}
    waiting = set(pipes)
    while waiting:
        ready = wait(waiting, timeout=max(0.0, ends - time.monotonic()))
        if not ready:
            raise TimeoutError(f"{len(waiting)} of {len(pipes)} processes hadn't ended after {deadline_s} s.")
        for pipe in ready:
            assert isinstance(pipe, Connection)  # wait() may be given sockets as well
            waiting.discard(pipe)
            answers |= _answer_of(pipe, pipes[pipe])
    return [answers[index] for index in sorted(answers)]


def _answer_of(pipe: Connection, child: SpawnProcess) -> dict[int, Any]:
    try:
        results, trace = pipe.recv()
    except EOFError:
        child.join(_GRACE_S)
        raise RuntimeError(f"A process died with exit code {child.exitcode}.") from None
    if trace is not None:
        raise RuntimeError(f"A call failed in its process:\n{trace}")
    return dict(results)


def _run_threads(
    pipe: Connection,
    barrier: threading.Barrier,
    process: int,
    threads: int,
    job: _Job,
) -> None:
    """In the child: its threads, and one message (results by index, the first traceback or None)."""
    results: dict[int, Any] = {}
    traces: list[str] = []

    def run(worker: Worker) -> None:
        try:
            barrier.wait()
        except threading.BrokenBarrierError:
            return  # another process couldn't prepare, and tells so itself
        try:
            results[worker.index] = job.function(worker, *job.args)
        except Exception:  # noqa: BLE001 -- the parent is told of all of them
            traces.append(traceback.format_exc())

    try:
        shared = job.prepare(*job.args) if job.prepare else None
        running = [
            threading.Thread(target=run, args=(Worker(process, number, process * threads + number, shared),))
            for number in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    except Exception:  # noqa: BLE001 -- as above
        traces.append(traceback.format_exc())
        barrier.abort()
    pipe.send((results, traces[0] if traces else None))
    pipe.close()
