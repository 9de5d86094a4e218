"""Where a run was made, without saying whose machine it is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.benchmarks.peers import PEERS, version

Facts = list[tuple[str, str]]
_OURS = ("redis", "hiredis", "fastapi", "starlette", "mangum", "boto3", "aws-lambda-powertools")


def facts() -> Facts:
    """The run's date, command and machine; asked when it begins."""
    load, *_ = os.getloadavg()
    return [
        ("date", datetime.now(UTC).date().isoformat()),
        ("command", "`make bench`"),
        ("cores", str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count())),
        ("load average when it began", f"{load:.1f}"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
    ]


def versions(names: Sequence[str] = (*_OURS, *PEERS)) -> Facts:
    """What was measured, and what it ran on."""
    return [("Redis", _redis_version())] + [(name, version(name) or "not installed") for name in dict.fromkeys(names)]


def _redis_version() -> str:
    from tests.harness.redis_server import RedisServer

    with RedisServer() as server:
        return f"{server.info('server')['redis_version']}, on loopback"
