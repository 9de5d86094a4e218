"""What a million requests add, by what the template has on their way."""

from collections.abc import Mapping
from typing import Any

from infra.costs.idle import Resource, memory_gb
from infra.costs.line import Line, millions
from infra.costs.prices import PriceList

_MILLION = 1_000_000
_GB = 1_000_000_000
_TRACED = "Active"


def per_million(template: Mapping[str, Any], prices: PriceList) -> tuple[Line, ...]:
    """Price a million requests to the API of a template.

    Args:
        template: the synthesized template; its function behind the API is the one whose name ends in `-api`.
        prices: list prices, and what a request is taken to be.

    Raises:
        KeyError: the template has no such function.
    """
    asked, function = prices.request, _api(template)
    told = function["Properties"]
    processor = "lambda_arm64" if "arm64" in told.get("Architectures", ()) else "lambda_x86"
    lines = [
        millions("API Gateway", _MILLION, prices["rest_api_requests"]),
        millions("Lambda, invocations", _MILLION, prices["lambda_requests"]),
        Line("Lambda, time", memory_gb(function) * asked.duration_ms / 1000 * _MILLION, prices[processor]),
        Line("log lines with their metrics", asked.log_bytes * _MILLION / _GB, prices["log_ingestion"]),
        Line("answers, to the internet", asked.response_bytes * _MILLION / _GB, prices["data_out"]),
        millions("DynamoDB, writes", asked.orders_share * asked.writes_per_order * _MILLION, prices["dynamodb_writes"]),
        millions("DynamoDB, reads", asked.reads_per_request * _MILLION, prices["dynamodb_reads"]),
    ]
    if _has(template, "AWS::ElastiCache::ServerlessCache"):
        lines.append(millions("ElastiCache, units", asked.redis_ecpus * _MILLION, prices["elasticache_ecpu"]))
    if _has(template, "AWS::WAFv2::WebACL"):
        lines.append(millions("WAF", _MILLION, prices["web_acl_requests"]))
    if told.get("TracingConfig", {}).get("Mode") == _TRACED:
        lines.append(millions("X-Ray, by its own sampling", asked.traced_share * _MILLION, prices["traces"]))
    if _has_access_log(template):
        lines.append(Line("the edge's access log", asked.access_log_bytes * _MILLION / _GB, prices["log_ingestion"]))
    return tuple(sorted(lines, key=lambda line: -line.usd))


def with_traffic(prices: PriceList) -> tuple[Line, ...]:
    """Price what a month costs as soon as there is traffic in all of its hours, however little."""
    return (Line("metrics out of the log lines", prices.request.metrics_with_traffic, prices["custom_metric"]),)


def _api(template: Mapping[str, Any]) -> Resource:
    for resource in template["Resources"].values():
        name = str(resource.get("Properties", {}).get("FunctionName", ""))
        if resource["Type"] == "AWS::Lambda::Function" and name.endswith("-api"):
            found: Resource = resource
            return found
    raise KeyError("the template has no function whose name ends in -api")


def _has_access_log(template: Mapping[str, Any]) -> bool:
    stages = [each for each in template["Resources"].values() if each["Type"] == "AWS::ApiGateway::Stage"]
    return any("AccessLogSetting" in stage.get("Properties", {}) for stage in stages)


def _has(template: Mapping[str, Any], kind: str) -> bool:
    return any(resource["Type"] == kind for resource in template["Resources"].values())
