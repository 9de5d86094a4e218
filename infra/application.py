"""The application of this repository: its tables, what its functions do to them, and its expensive methods."""

from collections.abc import Mapping
from types import MappingProxyType

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_cdk.api.application_table import ApplicationTable
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.edge_throttles import Throttle

METHOD_THROTTLES: Mapping[str, Throttle] = MappingProxyType(
    {
        "/v1/reports/sales/GET": Throttle(rate_per_s=5, burst=10),
        "/v1/exports/POST": Throttle(rate_per_s=10, burst=20),
    }
)
# The table that the deployed API's tests write items into.
WRITTEN_BY_TESTS = "Products"
_PRODUCTS_ACTIONS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem")
_ORDERS_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan")
_BY_OWNER = "by_owner"
# The migrations' lock and journal; and what a backfill does to the application's items, each on a condition.
_JOURNAL_ACTIONS = ("dynamodb:GetItem", "dynamodb:UpdateItem")
_BACKFILL_ACTIONS = ("dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem")


class ApplicationTables:
    """Products and orders, made in `scope`: on demand, restorable to any second, and kept with the stage's data."""

    def __init__(self, scope: Construct, keeping: Keeping) -> None:
        self.products = _table(scope, WRITTEN_BY_TESTS, keeping)
        self.orders = _table(scope, "Orders", keeping)
        self.orders.add_global_secondary_index(
            index_name=_BY_OWNER, partition_key=_string("owner"), sort_key=_string("created_at")
        )

    def granted(self) -> tuple[ApplicationTable, ...]:
        """Return both, with what the functions may do to them."""
        return (
            ApplicationTable(self.products, _PRODUCTS_ACTIONS, variable="TIDEGATE_PRODUCTS_TABLE"),
            ApplicationTable(
                self.orders, _ORDERS_ACTIONS, {_BY_OWNER: ("dynamodb:Query",)}, variable="TIDEGATE_ORDERS_TABLE"
            ),
        )

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs."""
        return {"ProductsTable": self.products.table_name, "OrdersTable": self.orders.table_name}

    def let_migrate(self, function: lambda_.Function, journal: dynamodb.ITable) -> None:
        """Let a function keep its journal in the library's table, and change the application's items."""
        own = [self.products.table_arn, self.orders.table_arn]
        for actions, arns in ((_JOURNAL_ACTIONS, [journal.table_arn]), (_BACKFILL_ACTIONS, own)):
            function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=arns))


def _table(scope: Construct, name: str, keeping: Keeping) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        name,
        partition_key=_string("id"),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=keeping.removal,
        deletion_protection=keeping.protected,
    )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
