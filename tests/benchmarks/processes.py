"""Programs of the benchmarks, each in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
# An account that exists nowhere, for programs that the tests' own environment isn't around.
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

# What this machine says to AWS' tools, and Lambda doesn't.
_NOT_ON_LAMBDA = {
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_SHARED_CREDENTIALS_FILE",
    "REQUESTS_CA_BUNDLE",
}


def function(redis_url: str, dynamodb_url: str, table: str) -> dict[str, str]:
    """The variables of a function with everything wired: what Lambda sets, and what a team sets."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": "api",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_ENDPOINT_URL": dynamodb_url,
        "TIDEGATE_REDIS_URL": redis_url,
        "TIDEGATE_TABLE": table,
    }


def compiled(folder: Path) -> dict[str, str]:
    """The variables of a program whose bytecode is kept in that folder from its first run on.

    Whoever installed the packages need not have compiled them, and this environment may forbid it.
    """
    return {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}


def run(
    module: str,
    *arguments: str,
    options: tuple[str, ...] = (),
    deadline_s: float = 240,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a module to its end; RuntimeError with what it said on standard error if it fails.

    Standard output, where log lines go, is a file: a pipe would wake its reader at every line.
    """
    with tempfile.TemporaryFile() as lines:
        done = subprocess.run(
            [sys.executable, *options, "-m", module, *arguments],
            cwd=ROOT,
            env=_environ(variables),
            stdout=lines,
            stderr=subprocess.PIPE,
            text=True,
            timeout=deadline_s,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-4000:]}")
    return done


def _environ(variables: Mapping[str, str]) -> dict[str, str]:
    told = {**os.environ, **variables}
    if "AWS_LAMBDA_FUNCTION_NAME" in variables:
        told = {name: value for name, value in told.items() if name not in _NOT_ON_LAMBDA}
    return told
