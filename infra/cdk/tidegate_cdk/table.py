"""The library's table: decisions, claims and counts while Redis is away, and the ledger of releases."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from tidegate_cdk.setting_error import SettingError

# As CDK writes them; of both kinds of table.
_KEY = [{"attributeName": "pk", "keyType": "HASH"}]
_TYPED = {"attributeName": "pk", "attributeType": "S"}
_EXPIRES = "expires_at"


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
            time_to_live_attribute=_EXPIRES,
            removal_policy=removal_policy,
            deletion_protection=deletion_protection,
            warm_throughput=warm_throughput,
        )


def check_key(table: dynamodb.ITable) -> None:
    """Refuse a table that this app makes with another key or time to live: every write to it would fail, or stay.

    Raises:
        SettingError: it has another one.
    """
    made = table.node.default_child
    if not isinstance(made, dynamodb.CfnTable | dynamodb.CfnGlobalTable):
        return  # imported: what it is isn't known here
    settings = {
        "keys": made.key_schema,
        "types": made.attribute_definitions,
        "lives": made.time_to_live_specification,
    }
    written = Stack.of(table).resolve(settings)  # without those that are None
    lives = written.get("lives")
    if written["keys"] != _KEY or _TYPED not in written["types"]:
        raise SettingError(
            f'table is {table.node.path}, which has another key: write partition_key=dynamodb.Attribute(name="pk", '
            "type=dynamodb.AttributeType.STRING) and no sort key, or take a TidegateTable"
        )
    if lives and lives.get("attributeName") != _EXPIRES:
        raise SettingError(
            f"table is {table.node.path}, whose time to live is {lives.get('attributeName')}: write "
            f'time_to_live_attribute="{_EXPIRES}", or take a TidegateTable'
        )
