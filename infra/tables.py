"""The tables: the library's own, and the shop's products and orders."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.stages import Stage

ORDERS_BY_OWNER = "by_owner"


class Tables(Construct):
    """Three tables: on demand, restorable to any second, and kept with the stage's data."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.tidegate = self._table("Tidegate", "pk", time_to_live="expires_at")
        self.products = self._table("Products", "id")
        self.orders = self._table("Orders", "id")
        self.orders.add_global_secondary_index(
            index_name=ORDERS_BY_OWNER, partition_key=_string("owner"), sort_key=_string("created_at")
        )

    def _table(self, name: str, key: str, *, time_to_live: str | None = None) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            name,
            partition_key=_string(key),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=time_to_live,
            removal_policy=RemovalPolicy.RETAIN if self._stage.keep_data else RemovalPolicy.DESTROY,
            deletion_protection=self._stage.keep_data,
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
