"""ElastiCache's IAM authentication: a presigned request to connect, made without any call."""

import calendar
import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import tidegate
from tidegate.compose import compose
from tidegate.redis_driver.elasticache_iam import IamCredentials
from tidegate.settings import Settings
from tidegate.sigv4 import Keys, Scope, presigned


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


def test_the_token_is_signed_by_the_role_for_a_quarter_of_an_hour(token):
    assert token["X-Amz-Expires"] == "900"
    assert token["X-Amz-Credential"].endswith("/us-east-1/elasticache/aws4_request")
    assert token["X-Amz-Security-Token"] == "of-the-role"
    assert token["X-Amz-Signature"]


def test_each_connection_signs_a_token_of_its_own(monkeypatch):
    settings = Settings(redis_url="rediss://cache:6379", redis_iam_user="app-user", redis_iam_cache="cache")
    [rung] = compose(settings).stores._handles
    provider = rung.store._transport._node._dialer._credentials
    assert isinstance(provider, IamCredentials)
    assert provider.get_credentials()[0] == "app-user"


QUERY = {"Action": "connect", "User": "app-user", "ResourceType": "ServerlessCache"}


@pytest.mark.parametrize("session_token", [None, "of/the+role=="])
@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1"])
def test_its_signature_is_botocore_s(region, session_token):
    credentials = Credentials("AKID", "secret/+", session_token)
    request = AWSRequest("GET", f"http://my-cache/?{urlencode(QUERY)}")
    signer = SigV4QueryAuth(credentials, "elasticache", region, expires=900)
    before = int(time.time())
    signer.add_auth(request)
    [date] = parse_qs(urlsplit(request.url).query)["X-Amz-Date"]
    signed_at = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    assert signed_at >= before
    keys = Keys("AKID", "secret/+", session_token)
    ours = presigned("my-cache", QUERY, keys, Scope(region, "elasticache"), (signed_at, 900))
    assert f"http://{ours}" == request.url


def test_a_function_signs_without_botocore():
    code = (
        "import sys; from tidegate.redis_driver.elasticache_iam import IamCredentials\n"
        "assert IamCredentials('app', 'cache', region='eu-central-1').get_credentials()[1].startswith('cache/?')\n"
        "assert not [name for name in sys.modules if name.startswith(('boto', 'urllib3'))]\n"
    )
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    environ["PYTHONPATH"] = str(Path(tidegate.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_ACCESS_KEY_ID": "AKID"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "secret"},
    ],
)
def test_without_a_pair_of_keys_botocore_s_other_sources_are_asked(environ, tmp_path, monkeypatch):
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = OF-A-FILE\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    _, password = IamCredentials("app", "cache", region="eu-central-1", environ=environ).get_credentials()
    assert parse_qs(urlsplit(f"//{password}").query)["X-Amz-Credential"][0].startswith("OF-A-FILE/")


def test_keys_that_change_sign_the_next_token():
    environ = {"AWS_ACCESS_KEY_ID": "FIRST", "AWS_SECRET_ACCESS_KEY": "secret"}
    credentials = IamCredentials("app", "cache", region="eu-central-1", environ=environ)
    assert "FIRST" in credentials.get_credentials()[1]
    environ["AWS_ACCESS_KEY_ID"] = "SECOND"
    assert "SECOND" in credentials.get_credentials()[1]
