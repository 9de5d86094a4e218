"""Which core runs what: left alone, the scheduler changes its mind between runs, and a round trip's time with it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import redis

Placement = Literal["apart", "together"]


@contextlib.contextmanager
def placed(placement: Placement, redis_url: str) -> Iterator[None]:
    """Put this process and Redis on cores of their own, or both on one, and leave them as they were.

    Apart is as if Redis were elsewhere. Together no core falls asleep and has to be woken, so that times are work
    and little else. Where cores can't be chosen (not Linux) they are left alone.
    """
    if sys.platform != "linux":
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    with redis.Redis.from_url(redis_url) as client:
        server = int(client.info("server")["process_id"])
    _pin(server, {cores[-1] if placement == "apart" else cores[0]})
    _pin(os.getpid(), {cores[0]})
    try:
        yield
    finally:
        _pin(server, set(cores))
        _pin(os.getpid(), set(cores))


def _pin(process: int, cores: set[int]) -> None:
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)
