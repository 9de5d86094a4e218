"""Which engine a command means: the one that it names, else the one that is up, else MiniStack."""

from collections.abc import Mapping
from types import MappingProxyType

from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import EngineKind
from tidegate_local.engines.external import External
from tidegate_local.engines.localstack import LocalStack
from tidegate_local.engines.localstack_host import LocalStackHost
from tidegate_local.errors import EndpointError
from tidegate_local.state import LocalState

KINDS: Mapping[str, EngineKind] = MappingProxyType(
    {kind.name: kind for kind in (Embedded(), LocalStackHost(), LocalStack())}
)


def choose(asked: str | None, endpoint_url: str | None, former: LocalState | None) -> EngineKind:
    """Pick the engine: `asked` by its name, or at an endpoint; by default that of the cloud which is up.

    Raises:
        EndpointError: there is no engine of that name, or both are given.
    """
    if asked and endpoint_url:
        raise EndpointError("--engine and --endpoint are given: leave one of them away.")
    if endpoint_url:
        return External(endpoint_url)
    if asked:
        return _named(asked)
    if former and former.engine == "external":
        return External(former.endpoint_url)
    return KINDS.get(former.engine if former else "", KINDS["embedded"])


def _named(asked: str) -> EngineKind:
    try:
        return KINDS[asked]
    except KeyError:
        raise EndpointError(f"There is no engine {asked!r}: take {', '.join(KINDS)}.") from None
