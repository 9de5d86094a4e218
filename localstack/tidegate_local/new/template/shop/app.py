"""The CDK app: what is deployed. `tidegate up` and `tidegate release` say which stage, `make cdk` what you like."""

from pathlib import Path

from aws_cdk import CfnOutput
from aws_cdk import aws_dynamodb as dynamodb

from tidegate_cdk import ApplicationTable, Paths, Smoke
from tidegate_cdk.project import ProjectStack, synthesize
from tidegate_local.project_facts import ProjectFacts

ROOT = Path(__file__).parent
FACTS = ProjectFacts.read(ROOT)


def compose(stack: ProjectStack) -> None:
    """Give the stack its tables and its API, of whose arguments each may be given in place of the stage's."""
    products, orders = _table(stack, "Products"), _table(stack, "Orders")
    stack.serve(
        "api.app.handler",
        paths=Paths("/v1"),
        smoke=[Smoke(asked.path, asked.status) for asked in FACTS.smoke],
        tables=[
            ApplicationTable(
                products,
                ["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"],
                variable="PRODUCTS_TABLE",
            ),
            ApplicationTable(orders, ["dynamodb:GetItem", "dynamodb:PutItem"], variable="ORDERS_TABLE"),
        ],
    )


def _table(stack: ProjectStack, name: str) -> dynamodb.Table:
    table = dynamodb.Table(
        stack,
        name,
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        removal_policy=stack.stage.keeping.removal,
        deletion_protection=stack.stage.keeping.protected,
    )
    CfnOutput(stack, f"{name}Table", value=table.table_name)
    return table


if __name__ == "__main__":
    synthesize(compose, FACTS.stack, root=ROOT)
