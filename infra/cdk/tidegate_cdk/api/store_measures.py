"""What CloudWatch knows of the stores themselves: ElastiCache's and DynamoDB's own metrics."""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb

from tidegate_cdk.api.cache import Cache
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.api.measures import MINUTE

_GB = 10**9


class Stores(NamedTuple):
    """The tables of an API, and its serverless cache; None: its Redis is elsewhere, if `redis` says that it has one."""

    tables: Sequence[dynamodb.ITable]
    cache: Cache | None
    redis: bool

    def throttled(self) -> cloudwatch.MathExpression:
        """Calls of DynamoDB's that a table refused, reads and writes."""
        using = {
            f"m{place}{kind[0].lower()}": _of_table(table, f"{kind}ThrottleEvents", "Sum")
            for place, table in enumerate(self.tables)
            for kind in ("Read", "Write")
        }
        expression = " + ".join(f"FILL({name}, 0)" for name in using)
        return cloudwatch.MathExpression(
            expression=expression, label="refused by DynamoDB", period=MINUTE, using_metrics=dict(using)
        )

    def units(self, kind: str) -> list[cloudwatch.IMetric]:
        """What each table is asked for, Read or Write, in units a minute."""
        return [_of_table(table, f"Consumed{kind}CapacityUnits", "Sum", label=table.node.id) for table in self.tables]

    def cache_metric(self, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        """A metric of the cache's own."""
        return cloudwatch.Metric(
            namespace="AWS/ElastiCache",
            metric_name=name,
            dimensions_map={"clusterId": self.cache.name if self.cache else ""},
            statistic=statistic,
            period=MINUTE,
            label=label or name,
        )

    def cache_share(self, limits: CacheLimits) -> cloudwatch.MathExpression:
        """How much of what it may take the cache has taken: of its compute or of its room, whichever is more."""
        return cloudwatch.MathExpression(
            expression=f"MAX([FILL(ecpu, 0) / {60 * limits.ecpu_per_s}, FILL(bytes, 0) / {limits.data_gb * _GB}])",
            label="share of the cache's limits",
            period=MINUTE,
            using_metrics={
                "ecpu": self.cache_metric("ElastiCacheProcessingUnits", "Sum"),
                "bytes": self.cache_metric("BytesUsedForCache", "Maximum"),
            },
        )


def _of_table(table: dynamodb.ITable, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=name,
        dimensions_map={"TableName": table.table_name},
        statistic=statistic,
        period=MINUTE,
        label=label or name,
    )
