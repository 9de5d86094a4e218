"""The API under a name of its own."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_route53 as route53
from constructs import Construct

from tidegate_cdk.api.edge import Domain


class CustomDomain(Construct):
    """A regional domain name (TLS 1.2 at least) for one stage of an API, and its record where the zone is known.

    Without a zone `target` is what a CNAME elsewhere has to name.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, domain: Domain, api: apigateway.RestApi, stage_name: str
    ) -> None:
        super().__init__(scope, construct_id)
        name = apigateway.CfnDomainName(
            self,
            "Name",
            domain_name=domain.name,
            regional_certificate_arn=domain.certificate_arn,
            security_policy="TLS_1_2",
            endpoint_configuration=apigateway.CfnDomainName.EndpointConfigurationProperty(types=["REGIONAL"]),
        )
        self.target = name.attr_regional_domain_name
        mapping = apigateway.CfnBasePathMapping(
            self, "Mapping", domain_name=name.ref, rest_api_id=api.rest_api_id, stage=stage_name
        )
        mapping.node.add_dependency(api.deployment_stage)
        if domain.zone_id:
            route53.CfnRecordSet(
                self,
                "Record",
                hosted_zone_id=domain.zone_id,
                name=domain.name,
                type="A",
                alias_target=route53.CfnRecordSet.AliasTargetProperty(
                    dns_name=name.attr_regional_domain_name, hosted_zone_id=name.attr_regional_hosted_zone_id
                ),
            )
