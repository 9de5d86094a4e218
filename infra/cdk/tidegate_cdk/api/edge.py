"""What stands before the functions, as settings: who is let through, under which address, and what is written down."""

import re
from dataclasses import dataclass, field, replace

from aws_cdk import aws_lambda as lambda_

from tidegate_cdk.known import matches
from tidegate_cdk.setting_error import SettingError

# AWS's own rules: addresses of ill repute, the usual attacks, and inputs that are known to be bad.
_MANAGED = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+")
_USER_POOL = re.compile(r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:\d{12}:userpool/[\w-]+")
_WEB_ACL = re.compile(r"arn:aws[a-z-]*:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[\w-]+/[\w-]+")


@dataclass(frozen=True)
class Firewall:
    """AWS WAF in front of the API: `per_ip_per_s` is an address's rate over a minute, `managed` AWS's rule groups."""

    per_ip_per_s: int = 100
    managed: tuple[str, ...] = _MANAGED

    def __post_init__(self) -> None:
        """Refuse a rate that AWS WAF doesn't take."""
        if self.per_ip_per_s < 1:
            raise SettingError(f"firewall has per_ip_per_s={self.per_ip_per_s}: write 1 or more, or firewall=None")


@dataclass(frozen=True)
class Domain:
    """The API's own name, with a certificate of its region; `zone_id` is the hosted zone that is to name it, or None.

    With a domain API Gateway's own address is off.
    """

    name: str
    certificate_arn: str
    zone_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what API Gateway would."""
        if not matches(_DOMAIN, self.name):
            raise SettingError(f"domain is {self.name!r}: write a name such as api.example.com")
        if not matches(_CERTIFICATE, self.certificate_arn):
            raise SettingError(
                f"certificate is {self.certificate_arn!r}: write the ARN of a certificate of AWS Certificate Manager "
                "in the API's own region, such as arn:aws:acm:eu-central-1:123456789012:certificate/ID"
            )


@dataclass(frozen=True)
class Edge:
    """What stands before the functions.

    `firewall` is one that is made, the ARN of a web ACL that exists, or None. `access_logs` writes a line of JSON for
    each request, refused ones included. `tracing` has X-Ray follow requests.
    `user_pools` (ARNs of Cognito), an `authorizer` (a function that says whose a token is) or `iam` say who may call
    beside having an API key: a token of one of the pools, one that the function takes, or whoever IAM lets.
    """

    firewall: Firewall | str | None = field(default_factory=Firewall)
    domain: Domain | None = None
    access_logs: bool = True
    tracing: bool = False
    user_pools: tuple[str, ...] = ()
    authorizer: lambda_.IFunction | None = None
    iam: bool = False

    def __post_init__(self) -> None:
        """Refuse two authorizers for one method, as API Gateway does."""
        if isinstance(self.firewall, str) and not matches(_WEB_ACL, self.firewall):
            raise SettingError(
                f"firewall is {self.firewall!r}: write Firewall(), None, or the ARN of a regional web ACL, such as "
                "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/NAME/ID"
            )
        wrong = [arn for arn in self.user_pools if not matches(_USER_POOL, arn)]
        if wrong:
            raise SettingError(
                f"user_pool is {','.join(wrong)!r}: write the ARN of a Cognito user pool, such as "
                "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/ID; several with commas between"
            )
        check_callers({"user_pool": bool(self.user_pools), "authorizer": bool(self.authorizer), "iam=true": self.iam})

    def asking(self, authorizer: lambda_.IFunction) -> "Edge":
        """Return this edge, with a function that says whose a token is."""
        return replace(self, authorizer=authorizer)


def check_callers(given: dict[str, bool]) -> None:
    """See that at most one way to tell who calls is given; raises SettingError."""
    callers = [name for name, is_given in given.items() if is_given]
    if len(callers) > 1:
        raise SettingError(
            f"{' and '.join(callers)} are given, and a method of API Gateway's has one authorizer: leave one "
            "away, or deploy a second environment for the callers of the other"
        )
