"""The alarms: what must not wait for somebody to look at the dashboard. docs/runbooks.md says what to do."""

from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from tidegate_cdk.api.measures import Backlog, Measures
from tidegate_cdk.api.store_measures import Stores
from tidegate_cdk.api.thresholds import Thresholds


class Watch(NamedTuple):
    """One alarm: it rings when the metric reached the threshold in `minutes` of the last `of`."""

    name: str
    says: str
    metric: cloudwatch.IMetric
    threshold: float
    minutes: int = 3
    of: int = 5
    percentile: bool = False  # which of a few requests says nothing


def watches(measures: Measures, stores: Stores, limits: Thresholds) -> list[Watch]:
    """What is watched on every API that has alarms; without a Redis none can be away."""
    fallback = Watch("Fallback", "Redis doesn't decide", measures.fallback_share(), limits.fallback_share)
    return [
        Watch("ServerErrors", "Clients get 5xx", measures.server_error_share(), limits.server_error_share),
        Watch("Latency", "Clients wait long (p95)", measures.latency(95), limits.latency_p95_ms, percentile=True),
        *([fallback] if stores.redis else []),
        Watch("Shed", "Requests are shed", measures.shed_share(), limits.shed_share),
        Watch("StoresLost", "Environments lose a store", measures.stores_lost(), limits.stores_lost, 1, 1),
        Watch("Throttles", "Lambda has no environment left", measures.throttles(), limits.throttles, 2, 3),
    ]


def limit_watches(measures: Measures, stores: Stores, limits: Thresholds) -> list[Watch]:
    """What is watched of the limits that AWS and the API's settings set: before they hold, but for the tables'."""
    share = limits.limit_share
    watched = [
        Watch("TableThrottles", "DynamoDB refuses calls", stores.throttled(), limits.table_throttles, 2, 3),
        Watch("EdgeRate", "The edge's rate is nearly used up", measures.edge_share(), share),
        Watch("Concurrency", "The account's concurrency is nearly used up", measures.concurrency_share(), share),
    ]
    if stores.cache:
        capacity = stores.cache_share(stores.cache.limits)
        watched.append(Watch("CacheCapacity", "The cache's limits are nearly reached", capacity, share))
    return watched


def backlog_watches(backlog: Backlog, limits: Thresholds) -> list[Watch]:
    """What is watched where requests are queued."""
    return [
        Watch("OldestMessage", "Accepted requests wait long", backlog.oldest_s(), limits.oldest_message_s),
        Watch("DeadLetters", "Accepted requests can't be run", backlog.given_up(), limits.dead_letters, 1, 1),
    ]


def alarm(scope: Construct, watch: Watch, prefix: str) -> cloudwatch.Alarm:
    """Make an alarm of it; without traffic there is nothing to ring for."""
    return cloudwatch.Alarm(
        scope,
        watch.name,
        alarm_name=f"{prefix}-{watch.name}",
        alarm_description=f"{watch.says}. What to do: docs/runbooks.md#{watch.name.lower()}",
        metric=watch.metric,
        threshold=watch.threshold,
        evaluation_periods=watch.of,
        datapoints_to_alarm=watch.minutes,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluate_low_sample_count_percentile="ignore" if watch.percentile else None,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
