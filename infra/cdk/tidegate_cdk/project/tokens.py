"""The tokens of an OIDC issuer, as a stage's setting."""

import re
from dataclasses import dataclass

from tidegate_cdk.setting_error import SettingError

# Without a query and a fragment, as OpenID Connect Discovery wants it.
_ISSUER = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[^\s?#]*)?")
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True)
class Tokens:
    """The tokens of an OIDC issuer that are let in: its URL, for whom they are (any of them), and how it signs them."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __post_init__(self) -> None:
        """Refuse what functions/authorizer would, at its start."""
        if not _ISSUER.fullmatch(self.issuer):
            raise SettingError(
                f"issuer is {self.issuer!r}: write its URL as its tokens have it in iss, such as "
                "https://login.example.com"
            )
        if not self.audiences or not all(each.strip() == each != "" for each in self.audiences):
            raise SettingError(
                f"audience is {','.join(self.audiences)!r}: write what the tokens for this API have in aud, such as "
                "https://api.example.com; several with commas between, and no spaces"
            )
        if not self.algorithms or set(self.algorithms) - set(_ALGORITHMS):
            raise SettingError(f"algorithms is {','.join(self.algorithms)!r}: write some of {','.join(_ALGORITHMS)}")
