"""The tables: the library's own, and the shop's products and orders."""

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.keeping import kept
from infra.stages import Stage, Warm
from tidegate_cdk.table import TidegateTable

ORDERS_BY_OWNER = "by_owner"


class Tables(Construct):
    """Three tables: on demand, restorable to any second, and kept with the stage's data."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.tidegate = TidegateTable(
            self,
            "Tidegate",
            removal_policy=kept(stage),
            deletion_protection=stage.protected,
            warm_throughput=_warm(stage.warm) if stage.warm else None,
        )
        self.products = self._table("Products", "id")
        self.orders = self._table("Orders", "id")
        self.orders.add_global_secondary_index(
            index_name=ORDERS_BY_OWNER, partition_key=_string("owner"), sort_key=_string("created_at")
        )

    def all(self) -> tuple[dynamodb.Table, ...]:
        """Return all three."""
        return self.tidegate, self.products, self.orders

    def _table(self, name: str, key: str) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            name,
            partition_key=_string(key),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=kept(self._stage),
            deletion_protection=self._stage.protected,
        )


def _warm(warm: Warm) -> dynamodb.WarmThroughput:
    return dynamodb.WarmThroughput(read_units_per_second=warm.reads_per_s, write_units_per_second=warm.writes_per_s)


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
