"""The edge of a stage on AWS, as its settings: who is let through, under which address, and what is written down."""

import re
from dataclasses import dataclass

from infra.stage_error import StageError

# AWS's own rules: addresses of ill repute, the usual attacks, and inputs that are known to be bad.
_MANAGED = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+")
# Without a query and a fragment, as OpenID Connect Discovery wants it.
_ISSUER = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[^\s?#]*)?")
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_USER_POOL = re.compile(r"arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:\d{12}:userpool/[\w-]+")


@dataclass(frozen=True)
class Firewall:
    """AWS WAF in front of the API: `per_ip_per_s` is an address's rate over a minute, `managed` AWS's rule groups."""

    per_ip_per_s: int = 100
    managed: tuple[str, ...] = _MANAGED


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
        if not _DOMAIN.fullmatch(self.name):
            raise StageError(f"domain is {self.name!r}: write a name such as api.example.com")
        if not _CERTIFICATE.fullmatch(self.certificate_arn):
            raise StageError(
                f"certificate is {self.certificate_arn!r}: write the ARN of a certificate of AWS Certificate Manager "
                "in the API's own region, such as arn:aws:acm:eu-central-1:123456789012:certificate/ID"
            )


@dataclass(frozen=True)
class Tokens:
    """The tokens of an OIDC issuer that are let in: its URL, for whom they are (any of them), and how it signs them."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __post_init__(self) -> None:
        """Refuse what functions/authorizer would, at its start."""
        if not _ISSUER.fullmatch(self.issuer):
            raise StageError(
                f"issuer is {self.issuer!r}: write its URL as its tokens have it in iss, such as "
                "https://login.example.com"
            )
        if not self.audiences or not all(each.strip() == each != "" for each in self.audiences):
            raise StageError(
                f"audience is {','.join(self.audiences)!r}: write what the tokens for this API have in aud, such as "
                "shop; several with commas between, and no spaces"
            )
        if not self.algorithms or set(self.algorithms) - set(_ALGORITHMS):
            raise StageError(f"algorithms is {','.join(self.algorithms)!r}: write some of {','.join(_ALGORITHMS)}")


@dataclass(frozen=True)
class Edge:
    """What stands before the functions.

    `access_logs` writes a line of JSON for each request, refused ones included. `tracing` has X-Ray follow requests.
    `user_pools` (ARNs of Cognito), `tokens` or `iam` say who may call beside having an API key: a token of one of the
    pools, one of an OIDC issuer, or whoever IAM lets.
    """

    firewall: Firewall | None = None
    domain: Domain | None = None
    access_logs: bool = False
    tracing: bool = False
    user_pools: tuple[str, ...] = ()
    tokens: Tokens | None = None
    iam: bool = False

    def __post_init__(self) -> None:
        """Refuse two authorizers for one method, as API Gateway does."""
        wrong = [arn for arn in self.user_pools if not _USER_POOL.fullmatch(arn)]
        if wrong:
            raise StageError(
                f"user_pool is {','.join(wrong)!r}: write the ARN of a Cognito user pool, such as "
                "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/ID; several with commas between"
            )
        given = {"user_pool": bool(self.user_pools), "issuer": self.tokens is not None, "iam=true": self.iam}
        callers = [name for name, is_given in given.items() if is_given]
        if len(callers) > 1:
            raise StageError(
                f"{' and '.join(callers)} are given, and a method of API Gateway's has one authorizer: leave one "
                "away, or deploy a second environment for the callers of the other"
            )
