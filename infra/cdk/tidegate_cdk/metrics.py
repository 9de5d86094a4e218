"""The metrics by which versions are compared: Lambda's own, or those that an application publishes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tidegate_cdk.setting_error import SettingError

_OF_A_VERSION = MappingProxyType({"FunctionName": "{function}", "FunctionVersion": "{version}"})


@dataclass(frozen=True)
class Metrics:
    """Metrics of CloudWatch's, such as those of the embedded metric format (EMF).

    `errors` is the number of requests that failed, `duration` the time of each in milliseconds; `requests` None: there
    are as many as durations. `refused` are further requests, which weren't run. In `dimensions`, which are those of one
    version, {function}, {alias} and {version} stand for their names. A minute is read once `settled_s` seconds have
    passed since its end, for its values may come late.
    """

    namespace: str
    errors: str = "Errors"
    duration: str = "Duration"
    requests: str | None = None
    refused: str | None = None
    dimensions: Mapping[str, str] = field(default_factory=lambda: _OF_A_VERSION)
    settled_s: int = 60

    def __post_init__(self) -> None:
        """Refuse what tells no version from another, or has no name."""
        if not any("{version}" in value for value in self.dimensions.values()):
            raise SettingError(
                f"metrics have the dimensions {dict(self.dimensions)!r}, the same for both versions: write one with "
                "{version}, such as 'function_version': '{version}'"
            )
        if not (self.namespace and self.errors and self.duration):
            raise SettingError("metrics have an empty namespace, errors or duration: write the metrics' names")
        if self.settled_s < 0:
            raise SettingError(f"metrics have settled_s={self.settled_s}: write 0 or more seconds")

    @property
    def delay_s(self) -> int:
        """For how many seconds a request may not have counted yet."""
        return 60 + self.settled_s

    def written(self) -> str:
        """Write them down, as functions/rollout/metrics.py reads them."""
        return json.dumps({**vars(self), "dimensions": dict(self.dimensions)}, sort_keys=True)


# What Lambda publishes of each alias and the versions behind it. `Errors` are invocations that raised or timed out: a
# handler that returns a 500 has none.
LAMBDA_METRICS = Metrics(
    "AWS/Lambda",
    requests="Invocations",
    refused="Throttles",
    dimensions=MappingProxyType(
        {"FunctionName": "{function}", "Resource": "{function}:{alias}", "ExecutedVersion": "{version}"}
    ),
)
