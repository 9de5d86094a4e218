"""The network on AWS: functions beside their cache, DynamoDB and SQS through endpoints, no way out."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

HTTPS = ec2.Port.tcp(443)
# Serverless caches serve writes and reads on 6379, and reads from replicas on 6380.
CACHE_PORTS = ec2.Port.tcp_range(6379, 6380)


class Network(Construct):
    """A VPC of isolated subnets in two zones, and the security groups of the functions and of the cache.

    Nothing needs a NAT gateway: Lambda itself delivers the logs, and the tokens that
    authenticate to the cache are signed in the function.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
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
            gateway_endpoints={
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
            },
            # Emptying the default group takes a custom resource with a function of its own; none is in it.
            restrict_default_security_group=False,
        )
        self.functions = self._group("Functions", "The functions: only to the cache, and to DynamoDB and SQS")
        self.cache = self._group("Cache", "The cache: only from the functions")
        self.functions.add_egress_rule(
            # Isolated subnets route nothing else on this port than the endpoints' own addresses.
            ec2.Peer.any_ipv4(),
            HTTPS,
            "DynamoDB and SQS, through their endpoints",
        )
        queues = self._group("Queues", "The endpoint of SQS: only from the functions")
        queues.add_ingress_rule(self.functions, HTTPS, "The functions")
        self.vpc.add_interface_endpoint(
            "Sqs",
            service=ec2.InterfaceVpcEndpointAwsService.SQS,
            subnets=self.subnets,
            security_groups=[queues],
            open=False,
        )
        self.functions.add_egress_rule(self.cache, CACHE_PORTS, "The cache")
        self.cache.add_ingress_rule(self.functions, CACHE_PORTS, "The functions")

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=False)
