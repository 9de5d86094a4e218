"""What is known of a running API, as CloudWatch's metrics: the library's own, the edge's and the function's."""

from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs

from tidegate_cdk.api.function import LiveFunction
from tidegate_cdk.api.gateway import Gateway

MINUTE = Duration.minutes(1)
OUTCOMES = ("admitted", "replayed", "limited", "shed", "queued", "refused", "failed", "unguarded")
CACHE = ("hit", "stale", "collapsed", "computed")
STORES = ("redis", "dynamodb", "memory")
BREAKERS = ("redis", "dynamodb", "database")


class Backlog(NamedTuple):
    """The overflow's queue, and that of what it gave up."""

    queue: sqs.IQueue
    dead_letters: sqs.IQueue

    def waiting(self) -> cloudwatch.Metric:
        """Messages that wait."""
        return self.queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=MINUTE, label="waiting"
        )

    def given_up(self) -> cloudwatch.Metric:
        """Messages that could not be run."""
        return self.dead_letters.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=MINUTE, label="given up"
        )

    def oldest_s(self) -> cloudwatch.Metric:
        """The age of the message that waits longest, in seconds."""
        return self.queue.metric_approximate_age_of_oldest_message(
            statistic="Maximum", period=MINUTE, label="oldest, s"
        )


class Measures:
    """The metrics of one API, a minute apart; shares are from 0 to 1, and 0 where hardly anybody asked.

    The library's are those that its log lines carry (`tidegate.metrics`) in `namespace`, by `service` and what
    `dimensions` adds.
    """

    def __init__(
        self, *, gateway: Gateway, function: LiveFunction, namespace: str, service: str, least_requests: int
    ) -> None:
        self.gateway = gateway
        self.function = function
        self._namespace = namespace
        self._service = service
        self._least = least_requests

    def count(self, name: str, label: str | None = None, **dimensions: str) -> cloudwatch.Metric:
        """A count of the library's, summed."""
        return self._own(name, "Sum", label or name, dimensions)

    def percentile(self, name: str, percent: float, label: str | None = None, **dimensions: str) -> cloudwatch.Metric:
        """A percentile of a duration of the library's."""
        return self._own(name, f"p{percent:g}", label or f"p{percent:g}", dimensions)

    def each(self, name: str, statistic: str, *dimensions: str) -> cloudwatch.MathExpression:
        """A metric of the library's for every value of its dimensions: those that a template can't know."""
        keys = ",".join((self._namespace, "service", *dimensions))
        search = f"SEARCH('{{{keys}}} service=\"{self._service}\" MetricName=\"{name}\"', '{statistic}', 60)"
        label = " ".join(f"${{PROP('Dim.{name}')}}" for name in dimensions)
        return cloudwatch.MathExpression(expression=search, label=label, period=MINUTE, using_metrics={})

    def server_error_share(self) -> cloudwatch.MathExpression:
        """What clients got as 5xx, whoever answered, but for what was shed on purpose."""
        edge = self.gateway.api.deployment_stage
        return self._share(
            "errors - FILL(shed, 0)",
            "5xx but shed",
            errors=edge.metric_server_error(statistic="Sum", period=MINUTE),
            shed=self.count("requests_shed"),
            whole=edge.metric_count(statistic="Sum", period=MINUTE),
        )

    def fallback_share(self) -> cloudwatch.MathExpression:
        """The decisions that Redis didn't make."""
        return self._share(
            "whole - FILL(redis, 0)",
            "not by Redis",
            redis=self.count("decisions", store="redis"),
            whole=self.count("decisions"),
        )

    def shed_share(self) -> cloudwatch.MathExpression:
        """The requests that were shed."""
        return self._share("shed", "shed", shed=self.count("requests_shed"), whole=self.count("requests"))

    def latency(self, percent: float) -> cloudwatch.Metric:
        """How long clients waited for the edge, in milliseconds."""
        edge = self.gateway.api.deployment_stage
        return edge.metric_latency(statistic=f"p{percent:g}", period=MINUTE, label=f"p{percent:g}")

    def throttles(self) -> cloudwatch.Metric:
        """Invocations that Lambda refused for want of concurrency."""
        return self.function.function.metric_throttles(statistic="Sum", period=MINUTE)

    def stores_lost(self) -> cloudwatch.MathExpression:
        """Environments that lost a store or the application's database: each opened a breaker."""
        lost = {f"m{n}": self.count("store_changes", store=s, state="failing") for n, s in enumerate(BREAKERS)}
        expression = " + ".join(f"FILL({name}, 0)" for name in lost)
        return cloudwatch.MathExpression(
            expression=expression, label="breakers opened", period=MINUTE, using_metrics=dict(lost)
        )

    def edge_share(self) -> cloudwatch.MathExpression:
        """How much of the rate that the edge lets through is asked for."""
        return cloudwatch.MathExpression(
            expression=f"asked / {60 * self.gateway.rate_per_s:g}",
            label="share of the edge's rate",
            period=MINUTE,
            using_metrics={"asked": self.gateway.api.deployment_stage.metric_count(statistic="Sum", period=MINUTE)},
        )

    def concurrency_share(self) -> cloudwatch.MathExpression:
        """How much of the account's concurrency is in use, by all functions of the region."""
        used = cloudwatch.Metric(
            namespace="AWS/Usage",
            metric_name="ResourceCount",
            dimensions_map={
                "Type": "Resource",
                "Resource": "ConcurrentExecutions",
                "Service": "Lambda",
                "Class": "None",
            },
            statistic="Maximum",
            period=MINUTE,
        )
        return cloudwatch.MathExpression(
            expression="used / SERVICE_QUOTA(used)",
            label="share of the account's concurrency",
            period=MINUTE,
            using_metrics={"used": used},
        )

    def _share(self, part: str, label: str, **using: cloudwatch.IMetric) -> cloudwatch.MathExpression:
        expression = f"IF(whole >= {self._least}, ({part}) / whole, 0)"
        return cloudwatch.MathExpression(expression=expression, label=label, period=MINUTE, using_metrics=using)

    def _own(self, name: str, statistic: str, label: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"service": self._service, **dimensions},
            statistic=statistic,
            period=MINUTE,
            label=label,
        )
