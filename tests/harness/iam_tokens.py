"""ElastiCache's side of IAM authentication: whether a token is signed for this cache and user, and how old it is."""

import calendar
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_VALID_FOR_S = 900
_SIGNED_BY_US = "X-Amz-Signature"


@dataclass(frozen=True)
class IamTokens:
    """Knows the keys of the one role that may connect; botocore's signer says what a token must be."""

    user: str = "app"
    cache: str = "cache"
    region: str = "us-east-1"
    access_key: str = "test"
    secret_key: str = "test"
    session_token: str | None = None

    def accepts(self, user: str, token: str) -> bool:
        query = {name: values[0] for name, values in parse_qs(urlsplit(f"http://{token}").query).items()}
        try:
            signed_at = calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
            return (
                user == self.user
                and query["X-Amz-Expires"] == str(_VALID_FOR_S)
                and -60 <= time.time() - signed_at <= _VALID_FOR_S
                and token == self._expected(query["X-Amz-Date"])
            )
        except (KeyError, ValueError):
            return False

    def _expected(self, date: str) -> str:
        request = AWSRequest(
            "GET", f"http://{self.cache}/?Action=connect&User={self.user}&ResourceType=ServerlessCache"
        )
        request.context["timestamp"] = date
        keys = Credentials(self.access_key, self.secret_key, self.session_token)
        signer = SigV4QueryAuth(keys, "elasticache", self.region, expires=_VALID_FOR_S)
        signer._modify_request_before_signing(request)
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return f"{request.url}&{_SIGNED_BY_US}={signature}".removeprefix("http://")
