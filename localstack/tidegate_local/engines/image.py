"""LocalStack's image: built by localstack/Dockerfile, once for each of the contents that it has had."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate_local.engines import docker, host_environment
from tidegate_local.errors import ToolMissingError, log_tail
from tidegate_local.layout import DOCKERFILE, INIT_SCRIPTS, PLATFORM
from tidegate_local.processes import CommandError, run_logged

# The image of Debian that it is built on, where that of Docker's registry isn't to be had.
BASE = "LOCALSTACK_BASE_IMAGE"


def name(base: str) -> str:
    """Return its name, whose tag is the version and the digest of everything that it is made of.

    `base` is the Debian that it is built on; "": that of Docker's registry.
    """
    sources = (*host_environment.SOURCES, INIT_SCRIPTS)
    beside = DOCKERFILE.read_text(encoding="utf-8") + base
    return f"tidegate-localstack:4.14.0-{host_environment.digest(sources, beside)}"


def is_built(base: str) -> bool:
    """Tell whether Docker has it.

    Raises:
        ToolMissingError: there is no Docker.
    """
    asked = [docker.program(), "image", "inspect", "--format", "{{.Id}}", name(base)]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed words


def ensure(log: Path, base: str) -> str:
    """Return its name, built first if need be.

    Raises:
        ToolMissingError: there is no Docker, or the build failed; the message has the end of its log.
    """
    if not is_built(base):
        command = [docker.program(), "build", "--progress", "plain", "--tag", name(base), *_arguments(base, os.environ)]
        # BuildKit, which Docker before 23 has to be asked for: only that takes secrets.
        environ = {**os.environ, "DOCKER_BUILDKIT": "1"}
        try:
            run_logged([*command, str(PLATFORM)], env=environ, log=log, cwd=PLATFORM)
        except CommandError as error:
            raise ToolMissingError(
                f"LocalStack's image could not be built. The end of the log, {log_tail(log)}\n"
                f"Where Docker's registry isn't reached, name a Debian 13 that this machine has: {BASE}=IMAGE "
                f"(docs/engines.md makes one).\n{docker.INSTEAD}"
            ) from error
    return name(base)


def _arguments(base: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Give the base, and what this machine's own pip goes by: the index, and the certificates that it trusts."""
    for argument, value in (("BASE", base), ("PIP_INDEX_URL", environ.get("PIP_INDEX_URL"))):
        if value:
            yield from ("--build-arg", f"{argument}={value}")
    if certificates := environ.get("PIP_CERT"):
        yield from ("--secret", f"id=certificates,src={certificates}")
