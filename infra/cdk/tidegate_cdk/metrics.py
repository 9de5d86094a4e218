"""The metrics by which versions are compared: Lambda's own, or those that an application publishes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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
