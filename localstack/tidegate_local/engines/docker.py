"""The Docker of this machine: its program, and whether its engine and its compose plugin answer."""

import shutil
import subprocess

from tidegate_local.errors import ToolMissingError

INSTEAD = "Without Docker the same LocalStack runs as a process: make up ENGINE=localstack-host"


def program(instead: str = INSTEAD) -> str:
    """Return the path of `docker`.

    Raises:
        ToolMissingError: there is none on PATH; `instead` is what the message says to do.
    """
    found = shutil.which("docker")
    if found is None:
        raise ToolMissingError(f"ENGINE=localstack needs Docker, which is not on PATH.\n{instead}")
    return found


def require(instead: str = INSTEAD) -> None:
    """Make sure that there is a Docker that runs, with its compose plugin.

    Raises:
        ToolMissingError: there isn't; the message says what is missing, and `instead` what to do.
    """
    for words, missing in (
        (("version",), "Docker is installed, but no Docker engine answers."),
        (("compose", "version"), "Docker is there, but its compose plugin is not."),
    ):
        said = subprocess.run([program(instead), *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        if said.returncode:
            reason = (said.stderr.strip() or said.stdout.strip()).splitlines()[:1]
            raise ToolMissingError(f"{missing} {''.join(reason)}\n{instead}")
