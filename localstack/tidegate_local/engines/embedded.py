"""MiniStack, the default: a process of this very environment, ready in half a second."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tidegate_local import ports
from tidegate_local.engines.engine import EngineName
from tidegate_local.engines.process import ProcessEngine
from tidegate_local.layout import StateFolder

_AMENDED = Path(__file__).with_name("ministack")


class Embedded(ProcessEngine):
    """MiniStack with our five amendments (tidegate_local.engines.ministack.process)."""

    name: EngineName = "embedded"

    def build(self) -> str:
        """Name MiniStack's version, its interpreter and what it is hooked with."""
        digest = hashlib.sha256(sys.executable.encode())
        for file in sorted(_AMENDED.glob("*.py")):
            digest.update(file.read_bytes())
        return f"ministack-{version('ministack')}-{digest.hexdigest()[:12]}"

    def command(self) -> Sequence[str]:
        """Run it on this interpreter, which is also that of its functions."""
        return [sys.executable, "-m", "tidegate_local.engines.ministack.process"]

    def environment(self, folder: StateFolder, port: int) -> Mapping[str, str]:
        """Keep it on loopback, and away from Docker."""
        return {
            "BIND_HOST": ports.LOOPBACK,
            "GATEWAY_PORT": str(port),
            "LAMBDA_EXECUTOR": "local",
            # It would look for containers to clean up on a Docker that has nothing to do with this.
            "DOCKER_HOST": f"unix://{folder.engine_scratch}/no-docker.sock",
            # These two would listen on all interfaces.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
