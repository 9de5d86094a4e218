"""The library's table: decisions, claims and counts while Redis is away, and the ledger of releases."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


class TidegateTable(dynamodb.Table):
    """A table with the library's key `pk` and its time to live `expires_at`: on demand, restorable to any second.

    It is kept when its stack goes, unless `removal_policy` says otherwise; `warm_throughput` is what it takes from its
    first second on.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        deletion_protection: bool | None = None,
        warm_throughput: dynamodb.WarmThroughput | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            removal_policy=removal_policy,
            deletion_protection=deletion_protection,
            warm_throughput=warm_throughput,
        )
