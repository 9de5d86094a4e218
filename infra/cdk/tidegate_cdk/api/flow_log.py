"""What the network refused: the flow logs of a VPC."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from tidegate_cdk.api.keeping import Keeping


def refusals(scope: Construct, vpc: ec2.Vpc, keeping: Keeping) -> None:
    """Log the connections that security groups refused; those that they let through are every request's own."""
    group = logs.LogGroup(scope, "Refused", retention=keeping.logs, removal_policy=keeping.removal)
    role = iam.Role(scope, "RefusedRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
    group.grant_write(role)
    role.add_to_policy(iam.PolicyStatement(actions=["logs:DescribeLogStreams"], resources=[group.log_group_arn]))
    written = ec2.CfnFlowLog(
        scope,
        "FlowLog",
        resource_id=vpc.vpc_id,
        resource_type="VPC",
        traffic_type="REJECT",
        log_destination_type="cloud-watch-logs",
        log_group_name=group.log_group_name,
        deliver_logs_permission_arn=role.role_arn,
    )
    written.node.add_dependency(role)
