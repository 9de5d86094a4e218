"""The edge's throttles: one for all requests, and those of single methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tidegate_cdk.api.methods import METHODS, VERBS
from tidegate_cdk.edge_throttles import Throttle
from tidegate_cdk.setting_error import SettingError


@dataclass(frozen=True)
class Rates:
    """The buckets at the edge: `whole` is for all requests, `health` for each method of each health path.

    `methods` are the expensive ones, by their paths with the verb, such as /v1/exports/POST. `decoded` is for engines
    that compare these paths as they are written, where CloudFormation writes `~1` for each slash.
    """

    whole: Throttle = field(default=Throttle(rate_per_s=2000, burst=4000))
    health: Throttle = field(default=Throttle(rate_per_s=20, burst=40))
    methods: Mapping[str, Throttle] = field(default_factory=lambda: MappingProxyType({}))
    decoded: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no method: CloudFormation would take it, and API Gateway throttle nothing by it."""
        for method in self.methods:
            path, slash, verb = method.rpartition("/")
            if not (slash and path.startswith("/") and verb in METHODS):
                raise SettingError(
                    f"there is a throttle for {method!r}: write the path, then one of {', '.join(METHODS)}, such as "
                    "/v1/exports/POST"
                )

    def by_method(self, health_paths: tuple[str, ...]) -> dict[str, Throttle]:
        """Return all throttles below the whole one, by their paths with the verb; the settings know no ANY."""
        health = {f"{path}/{verb}": self.health for path in health_paths for verb in VERBS}
        declared = {
            f"{path}/{verb}": throttle
            for method, throttle in self.methods.items()
            for path, _, given in [method.rpartition("/")]
            for verb in (VERBS if given == "ANY" else [given])
        }
        return {**declared, **{method: throttle for method, throttle in health.items() if method not in declared}}
