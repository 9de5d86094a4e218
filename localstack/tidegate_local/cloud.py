"""Clients of a local engine, with credentials that work nowhere else; and of AWS, where that is asked for by name."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from localstack_client.config import get_service_endpoints
from localstack_client.session import Session

REGION = "us-east-1"
# In an endpoint's place: AWS itself, by the environment's own credentials. Nothing takes it by default.
AWS = "aws"
# Also in the environment of CDK: a developer's real account must not be reachable from here by mistake.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


# boto3 makes its clients' methods at run time.
Client = Any
# localstack-client makes its clients of boto3's default session, which isn't for several threads at once.
_making = Lock()


class EngineSession(Session):  # type: ignore[misc] # localstack-client has no types
    """localstack-client's session, of one engine; the environment's AWS_ENDPOINT_URL is another matter."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=None,
            region_name=REGION,
        )
        self._service_endpoint_mapping = dict.fromkeys(get_service_endpoints(), endpoint_url)


def client(service: str, endpoint_url: str) -> Client:
    """Return a boto3 client of a service at an engine, or of AWS itself; close it with contextlib.closing."""
    if endpoint_url == AWS:
        with _making:
            return boto3.Session().client(service)
    settings = Config(
        connect_timeout=2,
        read_timeout=30,
        retries={"total_max_attempts": 2},
        proxies={},  # not those of the environment: the engine is on loopback
    )
    with _making:
        boto3.setup_default_session(botocore_session=_without_profile())
        return EngineSession(endpoint_url).client(service, config=settings)


def _without_profile() -> botocore.session.Session:
    """A session that reads no AWS_PROFILE and no configuration file: one that isn't there is an error."""
    nothing = (None, None, None, None)
    return botocore.session.Session(
        session_vars={"profile": nothing, "config_file": nothing, "credentials_file": nothing}
    )


def environment(base: Mapping[str, str], endpoint_url: str) -> dict[str, str]:
    """Return an environment whose AWS is the engine, without any of the developer's AWS_ variables."""
    kept = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    return {**kept, **CREDENTIALS, "AWS_ENDPOINT_URL": endpoint_url, **_past_proxies(base)}


def _past_proxies(base: Mapping[str, str]) -> dict[str, str]:
    """A developer's HTTP proxy must not stand between a tool and a server on loopback."""
    exempt = base.get("NO_PROXY") or base.get("no_proxy")
    local = ",".join(filter(None, [exempt, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": local, "no_proxy": local}
