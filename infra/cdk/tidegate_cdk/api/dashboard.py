"""The dashboard: a row for each of the three questions, and one for what rings."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch

from tidegate_cdk.api.measures import CACHE, MINUTE, OUTCOMES, STORES, Backlog, Measures
from tidegate_cdk.api.store_measures import Stores

Row = list[cloudwatch.IWidget]
WIDTH = 24  # of a dashboard, in CloudWatch's units


def alarm_row(alarms: Sequence[cloudwatch.IAlarm]) -> Row:
    """All alarms at one glance."""
    return [cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=WIDTH, height=3)]


def redis_row(measures: Measures) -> list[Row]:
    """Is Redis down, and what became of the decisions?"""
    stores = [measures.count("decisions", store, store=store) for store in STORES]
    waits = [measures.percentile("admission_ms", 99, f"{store} p99", store=store) for store in STORES]
    doubts: list[cloudwatch.IMetric] = [
        measures.stores_lost(),
        measures.count("shadow_differed", "fallback decided differently"),
    ]
    return [
        _title("What happens if Redis is down?"),
        [
            _graph("Decisions by store", stores, stacked=True),
            _graph("Share not decided by Redis", [measures.fallback_share()]),
            _graph("A decision's time, ms", waits),
            _graph("Breakers opened, shadows that differ", doubts),
        ],
    ]


def storm_row(measures: Measures, backlog: Backlog | None) -> list[Row]:
    """Is there a storm, and who is refused?"""
    outcomes = [measures.count(f"requests_{outcome}", outcome) for outcome in OUTCOMES]
    cache = [measures.count(f"cache_{answered}", answered) for answered in CACHE]
    why = [measures.each(f"requests_{outcome}", "Sum", "cause") for outcome in ("limited", "shed", "queued")]
    function = measures.function.function
    capacity = [
        function.metric("ConcurrentExecutions", statistic="Maximum", period=MINUTE, label="environments"),
        measures.throttles(),
    ]
    widgets: Row = [
        _graph("Requests by outcome", outcomes, stacked=True),
        _graph("Limited, shed, queued: why", why, stacked=True),
        _graph("Cache", cache, stacked=True),
        _graph("Environments, throttles; pressure", capacity, [measures.percentile("pressure", 99, "pressure p99")]),
    ]
    rows = [_title("What happens in a request storm?"), widgets]
    if backlog is not None:
        waiting = [backlog.waiting(), backlog.given_up()]
        rows.append([_graph("Overflow queue", waiting), _graph("Its oldest message, s", [backlog.oldest_s()])])
    return rows


def stores_row(stores: Stores) -> list[Row]:
    """What are the stores asked for, and do they keep up?"""
    graphs: Row = [
        _graph("DynamoDB: units written a minute", stores.units("Write"), stacked=True),
        _graph("DynamoDB: refused calls", [stores.throttled()]),
    ]
    if stores.cache:
        graphs += [
            _graph(
                "ElastiCache: units a minute; bytes",
                [stores.cache_metric("ElastiCacheProcessingUnits", "Sum")],
                [stores.cache_metric("BytesUsedForCache", "Maximum")],
            ),
            _graph(
                "ElastiCache: refused commands; evictions",
                [stores.cache_metric("ThrottledCmds", "Sum")],
                [stores.cache_metric("Evictions", "Sum")],
            ),
        ]
    return [_title("Do the stores keep up?"), graphs]


def release_row(measures: Measures) -> list[Row]:
    """Does the new release do as well as the old one?"""
    return [
        _title("What happens during a release?"),
        [
            _graph("Requests by release", [measures.each("requests", "Sum", "release")], stacked=True),
            _graph("Server errors by release", [measures.each("server_errors", "Sum", "release")]),
            _graph("p95 by release, ms", [measures.each("duration_ms", "p95", "release")]),
            _graph("At the edge: 5xx share, p95", [measures.server_error_share()], [measures.latency(95)]),
        ],
    ]


def _title(text: str) -> Row:
    return [cloudwatch.TextWidget(markdown=f"## {text}", width=WIDTH, height=1)]


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    right: Sequence[cloudwatch.IMetric] = (),
    *,
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    axis = cloudwatch.YAxisProps(min=0)
    return cloudwatch.GraphWidget(
        title=title, left=list(left), right=list(right), stacked=stacked, left_y_axis=axis, width=WIDTH // 4
    )
