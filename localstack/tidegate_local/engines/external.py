"""An engine of somebody else's, at an endpoint that is given: deployed to, never stopped."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from tidegate_local.engines import health
from tidegate_local.engines.engine import PROCESS, Engine, EngineName
from tidegate_local.errors import EndpointError
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

_PATIENCE_S = 5.0


@dataclass(frozen=True)
class External:
    """Whatever speaks LocalStack's API at a URL."""

    endpoint_url: str
    name: EngineName = "external"

    def preparing(self, folder: StateFolder) -> None:
        """Nothing: it runs."""

    def ensure(self, folder: StateFolder, registry: ProcessRegistry) -> Engine:  # noqa: ARG002 - as every kind does
        """Return it; an engine of ours that runs elsewhere is stopped.

        Raises:
            EndpointError: the URL is malformed, or nothing there speaks LocalStack's API.
        """
        url = _checked(self.endpoint_url)
        found = health.ask(url, timeout_s=_PATIENCE_S)
        if isinstance(found, str):
            raise EndpointError(
                f"No LocalStack-compatible endpoint answers at {url} ({found}). "
                "Start it, correct the URL, or have an engine started: tidegate up --engine embedded"
            )
        ours = registry.running(PROCESS)
        if ours and ours.url == url:
            name: EngineName = "embedded" if found.software == "ministack" else "localstack-host"
            return Engine(name, found.software, url, found.version, ours)
        registry.stop(PROCESS)
        return Engine("external", found.software, url, found.version, contained=found.contained)


def _checked(endpoint_url: str) -> str:
    try:
        parts = urlsplit(endpoint_url)
    except ValueError:  # an IPv6 address without its closing bracket, say
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EndpointError(f"{endpoint_url!r} is no endpoint. One looks like http://127.0.0.1:4566.")
    return endpoint_url.rstrip("/")
