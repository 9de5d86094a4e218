"""CloudWatch's embedded metric format, as its specification has it, for what a line of a log says.

The schema is written from "Specification: Embedded metric format" (CloudWatch User Guide), whose limits on
dimensions and lengths are those of the API reference's Dimension and MetricDatum; what a schema can't say of the
references from `_aws` to the line's own members is checked by code.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema

UNITS = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "Count/Second", "None"]
_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
_DEFINITION = {
    "type": "object",
    "required": ["Name"],
    "properties": {"Name": _NAME, "Unit": {"enum": UNITS}, "StorageResolution": {"enum": [1, 60]}},
    "additionalProperties": False,
}
_DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": _NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "array", "maxItems": 30, "uniqueItems": True, "items": _NAME},
        },
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": _DEFINITION},
    },
    "additionalProperties": False,
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 10**12},  # in milliseconds since 2001
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": _DIRECTIVE},
            },
            "additionalProperties": False,
        }
    },
}


class Sample(NamedTuple):
    """One value of one metric, as CloudWatch takes it out of a line."""

    namespace: str
    name: str
    unit: str
    dimensions: frozenset[tuple[str, str]]
    value: float


def samples(line: dict[str, Any]) -> list[Sample]:
    """What CloudWatch takes out of the line; raises if the specification doesn't allow it."""
    jsonschema.validate(line, SCHEMA)
    found = list(_samples(line))
    times = Counter((sample.name, sample.dimensions) for sample in found)
    twice = [what for what, number in times.items() if number > 1]
    if twice:
        raise ValueError(f"counted twice: {twice}")
    return found


def by_name(line: dict[str, Any], **dimensions: str) -> dict[str, float]:
    """The values of the metrics with exactly these dimensions."""
    wanted = frozenset(dimensions.items())
    return {sample.name: sample.value for sample in samples(line) if sample.dimensions == wanted}


def _samples(line: dict[str, Any]) -> Iterator[Sample]:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, _dimension(line, name)) for name in names)
            for metric in directive["Metrics"]:
                unit = metric.get("Unit", "None")
                yield Sample(directive["Namespace"], metric["Name"], unit, dimensions, _value(line, metric["Name"]))


def _dimension(line: dict[str, Any], name: str) -> str:
    value = line[name]
    if not isinstance(value, str) or not value.strip() or not value.isascii() or len(value) > 1024:
        raise ValueError(f"{name}={value!r} can't be a dimension")
    return value


def _value(line: dict[str, Any], name: str) -> float:
    value = line[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r} is no value of a metric")
    return value
