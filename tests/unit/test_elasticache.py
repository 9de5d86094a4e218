"""ElastiCache's IAM authentication: a presigned request to connect, made without any call."""

import gc
from urllib.parse import parse_qs, urlsplit

import pytest

from tidegate.lifecycle import compose
from tidegate.settings import Settings
from tidegate.stores.elasticache import IamCredentials


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A token's parts, as the server reads them."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-role")
    user, password = IamCredentials("app-user", "My-Cache").get_credentials()
    assert user == "app-user"
    assert not password.startswith("http")
    parts = urlsplit(f"//{password}")
    return {"host": parts.netloc, "path": parts.path} | {
        name: values[0] for name, values in parse_qs(parts.query).items()
    }


def test_the_token_asks_for_a_connection_of_the_user_to_the_cache(token):
    assert (token["host"], token["path"]) == ("my-cache", "/")
    assert (token["Action"], token["User"], token["ResourceType"]) == ("connect", "app-user", "ServerlessCache")


def test_later_connections_have_tokens_whatever_was_collected_meanwhile():
    credentials = IamCredentials("app-user", "My-Cache")
    credentials.get_credentials()
    gc.collect()
    assert credentials.get_credentials()[0] == "app-user"


def test_the_token_is_signed_for_a_quarter_of_an_hour_with_the_roles_credentials(token):
    assert token["X-Amz-Expires"] == "900"
    assert token["X-Amz-Credential"].endswith("/us-east-1/elasticache/aws4_request")
    assert token["X-Amz-Security-Token"] == "of-the-role"
    assert token["X-Amz-Signature"]


def test_each_connection_signs_a_token_of_its_own(monkeypatch):
    settings = Settings(redis_url="rediss://cache:6379", redis_iam_user="app-user", redis_iam_cache="cache")
    [rung] = compose(settings).stores._rungs
    provider = rung.store._transport._node._dialer._credentials
    assert isinstance(provider, IamCredentials)
    assert provider.get_credentials()[0] == "app-user"
