"""The metrics in CloudWatch that tell how a version does: Lambda's own, or those that an application publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple


class Metrics(NamedTuple):
    """The names of metrics.

    Attributes:
        namespace: theirs.
        requests: its sum is the number of requests; None: the number of durations is.
        errors: its sum is the number of requests that failed.
        duration: of each request, in milliseconds.
        refused: its sum is the number of further requests, which weren't run; None: there is none.
        dimensions: those of one version; {function}, {alias} and {version} stand for their names.
        settled_s: for so many seconds after a minute's end its counts may not be all there.
    """

    namespace: str
    requests: str | None
    errors: str
    duration: str
    refused: str | None
    dimensions: Mapping[str, str]
    settled_s: int = 60

    def of_version(self, function: str, alias: str, version: str) -> dict[str, str]:
        """Return the dimensions of a version's metrics."""
        names = {"{function}": function, "{alias}": alias, "{version}": version}
        found = dict(self.dimensions)
        for place, name in names.items():
            found = {dimension: value.replace(place, name) for dimension, value in found.items()}
        return found


# "Use the ExecutedVersion dimension to compare error rates for two versions of a function that are both targets of a
# weighted alias" (Lambda's developer guide, "Using CloudWatch metrics with Lambda").
LAMBDA = Metrics(
    "AWS/Lambda",
    "Invocations",
    "Errors",
    "Duration",
    "Throttles",
    {"FunctionName": "{function}", "Resource": "{function}:{alias}", "ExecutedVersion": "{version}"},
)


def metrics_of(evidence: str | None) -> Metrics | None:
    """Read an order's `Evidence`: "tidegate" or nothing, "cloudwatch", or the fields of `Metrics` in JSON.

    Returns:
        None for Tidegate's own counts.

    Raises:
        ValueError: it is none of these.
    """
    if evidence in {None, "", "tidegate"}:
        return None
    if evidence == "cloudwatch":
        return LAMBDA
    try:
        written = json.loads(str(evidence))
    except ValueError:
        written = None
    if not isinstance(written, dict) or written.keys() - set(Metrics._fields):
        raise ValueError(f"Evidence is {evidence!r}: it takes tidegate, cloudwatch, or {', '.join(Metrics._fields)}")
    return LAMBDA._replace(**written)
