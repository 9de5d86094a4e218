"""LocalStack without Docker: its packages from PyPI, in an environment of their own, with our Lambda and DynamoDB."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate_local import ports
from tidegate_local.engines import health, host_environment
from tidegate_local.engines.engine import EngineName
from tidegate_local.engines.health import Health
from tidegate_local.engines.process import ProcessEngine
from tidegate_local.layout import INIT_SCRIPTS, StateFolder

_POLL_TIMEOUT_S = 2.0


class LocalStackHost(ProcessEngine):
    """LocalStack 4.14.0 in host mode; localstack/host_mode and localstack/process_executor are what it lacks here."""

    name: EngineName = "localstack-host"
    start_deadline_s = 120.0

    def build(self) -> str:
        """Name its environment, and the scripts that mend it."""
        digest = hashlib.sha256()
        for script in sorted(INIT_SCRIPTS.rglob("*.py")):
            digest.update(script.read_bytes())
        return f"{host_environment.home().name}-{digest.hexdigest()[:12]}"

    def preparing(self, folder: StateFolder) -> str | None:  # noqa: ARG002 - as every kind does
        """Its packages, the first time."""
        if host_environment.python().exists():
            return None
        return "Installing LocalStack 4.14.0 without Docker: 116 packages, about a minute, once."

    def command(self) -> Sequence[str]:
        """Run it in its environment, which is made first if need be."""
        return [str(host_environment.ensure()), "-m", "localstack.runtime.main"]

    def ready(self, url: str) -> Health | str:
        """Its health once the init scripts have mended it."""
        return health.ready(url, _POLL_TIMEOUT_S)

    def environment(self, folder: StateFolder, port: int) -> Mapping[str, str]:
        """Keep it on loopback and within the state folder, and have it ask nobody on the network."""
        root = folder.engine_scratch / "localstack"
        _link(root / "etc" / "localstack" / "init", INIT_SCRIPTS)
        address = f"{ports.LOOPBACK}:{port}"
        return {
            "GATEWAY_LISTEN": address,
            "GATEWAY_SERVER": "loopback",
            "GATEWAY_SOCKET": str(ports.ENGINE_SOCKET),
            # In the URLs that it makes, such as those of queues: its own domain doesn't resolve offline.
            "LOCALSTACK_HOST": address,
            "SQS_ENDPOINT_STRATEGY": "path",
            "FILESYSTEM_ROOT": str(root),
            "LOCALSTACK_VOLUME_DIR": str(root / "volume"),
            # In somebody's container it would take /etc and /var for its own.
            "OVERRIDE_IN_DOCKER": "0",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DISABLE_EVENTS": "1",
            "DNS_ADDRESS": "0",
            # A resource that it can't make is an error, not a name without a thing.
            "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "0",
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "PROVIDER_OVERRIDE_DYNAMODB": "moto",
            "PYTHONUNBUFFERED": "1",
        }


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target)
