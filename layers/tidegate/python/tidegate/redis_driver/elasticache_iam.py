"""IAM authentication to ElastiCache: a short-lived signed token instead of a password.

The token is a presigned request to connect (SigV4), valid for 15 minutes. It is made for each new connection, and an
open connection outlives it. Lambda gives a function its credentials as variables: then no botocore is loaded for it.
Source: "Authenticating with IAM", Amazon ElastiCache User Guide.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import time
from typing import Any
from urllib.parse import urlencode

from tidegate.sigv4 import Keys, Scope, presigned

_SERVICE = "elasticache"
_VALID_FOR_S = 900


class IamCredentials:
    """Signs a token for each connection to an ElastiCache Serverless cache.

    Args:
        user: the ElastiCache user's id, which is also its name.
        cache: the cache's name.
        session: a botocore session; None: the variables' credentials, or else a session from the environment.
        region: the cache's; AWS_DEFAULT_REGION's or the session's own if None.
        environ: the variables.
    """

    def __init__(
        self,
        user: str,
        cache: str,
        session: Any = None,
        region: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._region = region
        self._user = user
        self._cache = cache.lower()
        self._session = session
        self._environ = environ
        self._signer: Any = None

    def get_credentials(self) -> tuple[str, str]:
        """Return the user's name and a token."""
        query = {"Action": "connect", "User": self._user, "ResourceType": "ServerlessCache"}
        keys = Keys.of(self._environ) if self._session is None else None
        region = self._region or self._environ.get("AWS_DEFAULT_REGION")
        if keys is not None and region:
            return self._user, presigned(self._cache, query, keys, Scope(region, _SERVICE), (time(), _VALID_FOR_S))
        return self._user, self._signed_by_botocore(query)

    def _signed_by_botocore(self, query: Mapping[str, str]) -> str:
        request = {
            "method": "GET",
            "url": f"http://{self._cache}/?{urlencode(query)}",
            "body": {},
            "headers": {},
            "context": {},
        }
        url: str = self._signing().generate_presigned_url(request, operation_name="connect", expires_in=_VALID_FOR_S)
        return url.removeprefix("http://")

    def _signing(self) -> Any:
        if self._signer is None:
            from botocore.model import ServiceId  # noqa: PLC0415  only without credentials in variables
            from botocore.session import Session  # noqa: PLC0415
            from botocore.signers import RequestSigner  # noqa: PLC0415

            # The signer refers to the session's emitter weakly, and signs for every later connection, too.
            session = self._session or Session()
            credentials: Any = session.get_credentials()
            self._signer = (
                session,
                RequestSigner(
                    ServiceId(_SERVICE),
                    self._region or session.get_config_variable("region"),
                    _SERVICE,
                    "v4",
                    credentials,
                    session.get_component("event_emitter"),
                ),
            )
        return self._signer[1]
