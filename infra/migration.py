"""The function that migrates the shop's tables; releases invoke it, by its name and at its newest."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.assets import Asset
from infra.function import Program, plain_function
from infra.layers import Layers
from infra.stages import Stage
from infra.tables import Tables

# The lock and the journal; and what a backfill does to the shop's items, each on a condition.
_JOURNAL_ACTIONS = ("dynamodb:GetItem", "dynamodb:UpdateItem")
_BACKFILL_ACTIONS = ("dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:UpdateItem")
# A slice of a backfill takes 20 s; the rest is for its last round, on a table that answers late.
_TIMEOUT_S = 60


class Migration(Construct):
    """The function `migrate`. It has no alias: what migrates to the new code is the new code's.

    It isn't in a network: DynamoDB is all that it calls.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        code: Asset,
        layers: Layers,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        handler, timeout = "functions.migrate.handler.handler", Duration.seconds(_TIMEOUT_S)
        program = Program("migrate", handler, code, layers, timeout, environment)
        self.function = plain_function(self, "", stage=stage, program=program)

    def migrate(self, tables: Tables) -> None:
        """Let it keep its journal in the library's table, and change the items of the shop's."""
        shop = [tables.products.table_arn, tables.orders.table_arn]
        for actions, arns in ((_JOURNAL_ACTIONS, [tables.tidegate.table_arn]), (_BACKFILL_ACTIONS, shop)):
            self.function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=arns))
