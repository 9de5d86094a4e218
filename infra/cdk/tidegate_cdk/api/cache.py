"""The Redis on AWS: ElastiCache Serverless for Valkey, with TLS and IAM authentication."""

from aws_cdk import aws_elasticache as elasticache
from constructs import Construct

from tidegate_cdk.api.cache_access import ACCESS
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.api.network import Network


class Cache(Construct):
    """A serverless cache and its one user, to be reached at `url` by whom `connect_arns` are granted to.

    `name` and `user` are the names that the authentication token is signed for; `limits` are its caps.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, network: Network, limits: CacheLimits
    ) -> None:
        super().__init__(scope, construct_id)
        self.name, self.limits = name, limits
        self.user = name  # for IAM authentication a user's id and name are the same
        user = elasticache.CfnUser(
            self,
            "User",
            engine="valkey",
            user_id=self.user,
            user_name=self.user,
            access_string=ACCESS,
            authentication_mode={"Type": "iam"},
        )
        group = elasticache.CfnUserGroup(self, "UserGroup", engine="valkey", user_group_id=name, user_ids=[user.ref])
        cache = elasticache.CfnServerlessCache(
            self,
            "Cache",
            engine="valkey",
            major_engine_version="8",
            serverless_cache_name=self.name,
            description="Limits, replays and leases; whatever must not be lost is in DynamoDB",
            user_group_id=group.ref,
            security_group_ids=[network.cache.security_group_id],
            subnet_ids=network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids,
            cache_usage_limits=_usage(limits),
        )
        self.url = f"rediss://{cache.attr_endpoint_address}:{cache.attr_endpoint_port}"
        self.connect_arns = [cache.attr_arn, user.attr_arn]


def _usage(limits: CacheLimits) -> elasticache.CfnServerlessCache.CacheUsageLimitsProperty:
    return elasticache.CfnServerlessCache.CacheUsageLimitsProperty(
        data_storage=elasticache.CfnServerlessCache.DataStorageProperty(
            minimum=limits.least_data_gb, maximum=limits.data_gb, unit="GB"
        ),
        ecpu_per_second=elasticache.CfnServerlessCache.ECPUPerSecondProperty(
            minimum=limits.least_ecpu_per_s, maximum=limits.ecpu_per_s
        ),
    )
