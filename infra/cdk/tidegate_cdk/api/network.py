"""The network on AWS: functions beside their cache, DynamoDB and SQS through endpoints, no way out."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from tidegate_cdk.api.flow_log import refusals
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.own_arns import own_function

HTTPS = ec2.Port.tcp(443)
# Serverless caches serve writes and reads on 6379, and reads from replicas on 6380.
CACHE_PORTS = ec2.Port.tcp_range(6379, 6380)


@dataclass(frozen=True)
class Place:
    """Where functions run in a VPC; `ready` is what has to be there before they are invoked."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    ready: IDependable | None = None


class Network(Construct):
    """A VPC of isolated subnets in two zones, and the security groups of the functions and of the cache.

    Nothing needs a NAT gateway: Lambda itself delivers the logs, and the tokens that
    authenticate to the cache are signed in the function.
    """

    def __init__(self, scope: Construct, construct_id: str, *, keeping: Keeping, async_refresh: bool = False) -> None:
        super().__init__(scope, construct_id)
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="functions", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20)
            ],
            # Emptying the default group takes a custom resource with a function of its own; none is in it.
            restrict_default_security_group=False,
        )
        self._name_tags()
        self.functions = self._group("Functions", "The functions: only to the cache, and to DynamoDB and SQS")
        self.cache = self._group("Cache", "The cache: only from the functions")
        self.functions.add_egress_rule(
            # Isolated subnets route nothing else on this port than the endpoints' own addresses.
            ec2.Peer.any_ipv4(),
            HTTPS,
            "DynamoDB and SQS, through their endpoints",
        )
        self._tables = self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self._queues = self._endpoint("Sqs", "Queues", ec2.InterfaceVpcEndpointAwsService.SQS)
        if async_refresh:
            invocations = self._endpoint("Lambda", "Invocations", ec2.InterfaceVpcEndpointAwsService.LAMBDA_)
            invocations.add_to_policy(_only("lambda:InvokeFunction", [own_function(self, "api", suffix="*")]))
        refusals(self, self.vpc, keeping)
        self.functions.add_egress_rule(self.cache, CACHE_PORTS, "The cache")
        self.cache.add_ingress_rule(self.functions, CACHE_PORTS, "The functions")

    @property
    def place(self) -> Place:
        """Where the functions run. They refer to their subnets and group alone: the endpoints and rules are awaited."""
        return Place(self.vpc, self.subnets, (self.functions,), ready=self)

    def lead_to(self, tables: Sequence[dynamodb.ITable], queues: Sequence[sqs.IQueue]) -> None:
        """Have the endpoints lead to these alone: not to another account's, whatever credentials a function has."""
        arns = [arn for table in tables for arn in (table.table_arn, f"{table.table_arn}/index/*")]
        self._tables.add_to_policy(_only("dynamodb:*", arns))
        self._queues.add_to_policy(_only("sqs:*", [queue.queue_arn for queue in queues]))

    def _name_tags(self) -> None:
        """Name them as their resources are, by their path without Default: CDK's own names have it."""
        for named in (self.vpc, *self.vpc.isolated_subnets):
            Tags.of(named).add("Name", named.node.path.replace("/Default/", "/"))

    def _endpoint(self, name: str, group: str, service: ec2.InterfaceVpcEndpointAwsService) -> ec2.InterfaceVpcEndpoint:
        reached = self._group(
            group, f"The endpoint of {name.upper() if name == 'Sqs' else name}: only from the functions"
        )
        reached.add_ingress_rule(self.functions, HTTPS, "The functions")
        return self.vpc.add_interface_endpoint(
            name, service=service, subnets=self.subnets, security_groups=[reached], open=False
        )

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=False)


def _only(actions: str, resources: Sequence[str]) -> iam.PolicyStatement:
    """Let these through an endpoint; what a function's role doesn't have stays refused."""
    return iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=[actions], resources=list(resources))
