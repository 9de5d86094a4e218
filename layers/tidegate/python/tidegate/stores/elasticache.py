"""IAM authentication to ElastiCache: a short-lived signed token instead of a password.

The token is a presigned request to connect (SigV4), valid for 15 minutes; it is made afresh for every new
connection, and an open connection outlives it.
Source: "Authenticating with IAM", Amazon ElastiCache User Guide.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

_VALID_FOR_S = 900


class IamCredentials:
    """Signs a token for each connection to an ElastiCache Serverless cache.

    Args:
        user: the ElastiCache user's id, which is its name, too.
        cache: the cache's name.
        session: a botocore session; one from the environment if None.
    """

    def __init__(self, user: str, cache: str, session: Any = None) -> None:
        self._user = user
        self._cache = cache.lower()
        self._session = session
        self._signer: Any = None

    def get_credentials(self) -> tuple[str, str]:
        """Return the user's name and a token."""
        query = urlencode({"Action": "connect", "User": self._user, "ResourceType": "ServerlessCache"})
        request = {
            "method": "GET",
            "url": f"http://{self._cache}/?{query}",
            "body": {},
            "headers": {},
            "context": {},
        }
        url: str = self._signing().generate_presigned_url(request, operation_name="connect", expires_in=_VALID_FOR_S)
        return self._user, url.removeprefix("http://")

    def _signing(self) -> Any:
        if self._signer is None:
            from botocore.model import ServiceId  # noqa: PLC0415  only where IAM is used
            from botocore.session import Session  # noqa: PLC0415
            from botocore.signers import RequestSigner  # noqa: PLC0415

            # The signer refers to the session's emitter weakly, and signs for every later connection, too.
            session = self._session = self._session or Session()
            credentials: Any = session.get_credentials()
            self._signer = RequestSigner(
                ServiceId("elasticache"),
                session.get_config_variable("region"),
                "elasticache",
                "v4",
                credentials,
                session.get_component("event_emitter"),
            )
        return self._signer
