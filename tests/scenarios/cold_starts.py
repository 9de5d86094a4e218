"""A scale-out for real: environments are born at once behind ElastiCache Serverless's rules, and each is asked once.

`python -m tests.scenarios.cold_starts --environments 40 --latency-ms 2`; `TIDEGATE_TEST_REDIS_SERVER` names the
server's program.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.serverless_redis import ServerlessRedis
from tests.harness.tcp_proxy import TcpProxy

_ROOT = Path(__file__).parents[2]
_OVER_WITHIN_S = 600
_BUDGET_MS = 60
# The two proxies are threads of this process: by default one waits for 5 ms until the other leaves the interpreter.
_SWITCHED_EVERY_S = 0.0005


@dataclass(frozen=True)
class Births:
    """What became of a scale-out.

    Attributes:
        statuses: of each environment's first request.
        stores: that decided.
        alarming: the log's lines about a store that failed.
        signed: the tokens that the cache saw.
        denied: what the cache refused.
    """

    statuses: Counter[int]
    stores: Counter[str]
    alarming: tuple[str, ...]
    signed: int
    denied: tuple[str, ...]


def scale_out(environments: int, latency_ms: float, budget_ms: int) -> Births:
    """Let so many environments be born at once."""
    sys.setswitchinterval(_SWITCHED_EVERY_S)
    with ServerlessRedis() as cache, TcpProxy(cache.port) as far:
        far.delay(latency_ms)
        cache.announced_port = far.port
        variables = _variables(far.url(cache.url), budget_ms)
        born = [_started(variables) for _ in range(environments)]
        said = _asked_at_once(born)
        return Births(
            Counter(line["status"] for line in said if "status" in line and "message" not in line),
            Counter(line["store"] for line in said if line.get("message") == "request"),
            tuple(json.dumps(line) for line in said if line.get("state") == "failing" or line.get("level") == "ERROR"),
            cache.tokens_seen,
            tuple(cache.denied()),
        )


def fair_budget_ms(environments: int) -> int:
    """The default budget, stretched as far as so many environments stretch this machine: on Lambda each has its own."""
    return _BUDGET_MS * max(1, -(-environments // (os.cpu_count() or 1)))


def _started(variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.scenarios.cold_start"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=variables,
        cwd=_ROOT,
        text=True,
    )


def _asked_at_once(born: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Tell all of them when the last is ready; return the lines that they have written."""
    try:
        for process in born:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith('{"imported"'):
                if not line:
                    raise RuntimeError("an environment ended before it was asked")
            if loaded := json.loads(line)["imported"]:
                raise RuntimeError(f"what is to be measured has happened already: {loaded}")
        for process in born:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        texts = [process.communicate(timeout=_OVER_WITHIN_S)[0] for process in born]
    finally:
        for process in born:
            process.kill()
            process.wait()
    return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]


def _variables(url: str, budget_ms: int) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    return {
        **plain,
        "PYTHONPATH": os.pathsep.join([str(_ROOT / "layers" / "tidegate" / "python"), str(_ROOT)]),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "cold",
        "TIDEGATE_REDIS_URL": url,
        "TIDEGATE_REDIS_CLUSTER": "1",
        "TIDEGATE_REDIS_IAM_USER": "app",
        "TIDEGATE_REDIS_IAM_CACHE": "cache",
        "TIDEGATE_DECISION_BUDGET_MS": str(budget_ms),
        "TIDEGATE_LOG": "json",
    }


def main() -> None:
    """Scale out several times, and say what became of each."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--environments", type=int, default=40)
    arguments.add_argument("--latency-ms", type=float, default=2.0)
    arguments.add_argument("--budget-ms", type=int, help="of a decision; by default 60 for a processor of one's own")
    arguments.add_argument("--times", type=int, default=1)
    given = arguments.parse_args()
    for _ in range(given.times):
        budget_ms = given.budget_ms or fair_budget_ms(given.environments)
        print(scale_out(given.environments, given.latency_ms, budget_ms))  # noqa: T201  a command's answer


if __name__ == "__main__":
    main()
