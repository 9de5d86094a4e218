"""Tokens of an OIDC issuer at the edge: the function that checks them, as it is deployed and as it ships."""

import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from functions.authorizer import settings as token_settings
from infra.costs.idle import idle
from infra.costs.prices import read
from infra.stages import AWS
from infra.token_check import token_check_code
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST
from tidegate_cdk.api.authorizer import KEPT_S
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.project.tokens import Tokens
from tidegate_cdk.setting_error import SettingError

from .conftest import ROOT

pytestmark = pytest.mark.xdist_group("templates")

TOKENS = Tokens("https://login.shop.example", ("shop",))
POOL = "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_Shop"


@pytest.fixture
def made(variant):
    return variant("tokens")


@pytest.fixture(scope="module")
def archive():
    return token_check_code(Workspace.at(ROOT), HOST)


def test_all_but_health_and_preflights_want_an_issuer_s_token(made):
    (authorizer,) = made.resources("AWS::ApiGateway::Authorizer")
    for method in made.properties("AWS::ApiGateway::Method"):
        if method.get("ApiKeyRequired"):
            assert (method["AuthorizationType"], method["AuthorizerId"]) == ("CUSTOM", {"Ref": authorizer})
        else:
            assert method["AuthorizationType"] == "NONE"
            assert "AuthorizerId" not in method


def test_its_word_is_taken_for_a_minute_and_for_tokens_alone(made):
    authorizer = made.only("AWS::ApiGateway::Authorizer")
    assert (authorizer["Type"], authorizer["IdentitySource"]) == ("TOKEN", "method.request.header.Authorization")
    assert authorizer["AuthorizerResultTtlInSeconds"] == KEPT_S == 60
    is_token = re.compile(authorizer["IdentityValidationExpression"])
    assert is_token.match("Bearer eyJh.eyJz.c2ln-_")
    assert is_token.match("bearer a.b.c")
    assert not any(
        is_token.match(field) for field in ("Basic YTpi", "Bearer abc", "Bearer a.b.", "a.b.c", "Bearer a.b.c d")
    )


def test_the_function_is_told_what_a_token_must_be(made):
    function = made.function("authorizer")
    settings = token_settings.read(function["Environment"]["Variables"])
    assert settings == token_settings.Settings(
        "https://login.shop.example/", ("shop", "https://api.shop.example"), ("RS256", "ES256")
    )
    assert function["Handler"] == "functions.authorizer.handler.handler"
    assert function["Timeout"] >= 10
    assert not {"VpcConfig", "Layers"} & set(function)


def test_its_role_writes_its_log_and_nothing_else(made):
    role = made.function("authorizer")["Role"]["Fn::GetAtt"][0]
    granted = [policy for policy in made.properties("AWS::IAM::Policy") if {"Ref": role} in policy["Roles"]]
    (statement,) = [one for policy in granted for one in policy["PolicyDocument"]["Statement"]]
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    (group,) = [name for name in made.resources("AWS::Logs::LogGroup") if name.startswith("Authorizer")]
    assert statement["Resource"] == {"Fn::GetAtt": [group, "Arn"]}
    assert not {"Policies", "ManagedPolicyArns"} & set(made.document["Resources"][role]["Properties"])


def test_only_this_api_s_authorizer_may_ask_it(made):
    (authorizer,) = made.resources("AWS::ApiGateway::Authorizer")
    function = {"Fn::GetAtt": [next(iter(made.of_function("AWS::Lambda::Function", "Authorizer"))), "Arn"]}
    (permission,) = [one for one in made.properties("AWS::Lambda::Permission") if one["FunctionName"] == function]
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert {"Ref": authorizer} in permission["SourceArn"]["Fn::Join"][1]


def test_nothing_of_it_is_there_where_nobody_asked_for_it(both):
    for stage in both.values():
        assert not stage.resources("AWS::ApiGateway::Authorizer")
        assert not stage.of_function("AWS::Lambda::Function", "Authorizer")


def test_it_costs_nothing_idle(made, both):
    prices = read()
    costs, plain = idle(made.document, prices), idle(both["aws"].document, prices)
    assert costs.unpriced == plain.unpriced
    assert [line.usd for line in costs.lines] == [line.usd for line in plain.lines]


@pytest.mark.parametrize(
    "given",
    [
        lambda: Edge(user_pools=(POOL,), iam=True),
        lambda: replace(AWS, tokens=TOKENS, edge=Edge(iam=True)),
        lambda: replace(AWS, tokens=TOKENS, edge=Edge(user_pools=(POOL,))),
    ],
)
def test_a_method_has_one_authorizer(given):
    with pytest.raises(SettingError, match="are given, and a method of API Gateway's has one authorizer"):
        given()


def test_it_runs_from_its_archive_alone(archive, tmp_path):
    zipfile.ZipFile(archive.path).extractall(tmp_path)
    code = (
        "import sys\n"
        f"sys.path[:] = [{str(tmp_path)!r}, *[path for path in sys.path if 'site-packages' not in path]]\n"
        "from functions.authorizer import handler\n"
        "import cryptography, jwt\n"
        f"assert all(m.__file__.startswith({str(tmp_path)!r}) for m in (handler, cryptography, jwt))\n"
        "from types import SimpleNamespace\n"
        "from cryptography.hazmat.primitives.asymmetric import ec\n"
        "key = ec.generate_private_key(ec.SECP256R1())\n"
        "published = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)\n"
        "from functions.authorizer import issuer\n"
        "handler.keys.key_of = lambda name: issuer._key(published)\n"
        "said = {'sub': 'ann', 'iss': handler.settings.issuer, 'aud': 'shop', 'exp': 9_000_000_000}\n"
        "event = {'methodArn': 'arn:aws:execute-api:r:1:a/api/GET/v1'}\n"
        "token = jwt.encode(said, key, 'ES256')\n"
        "print(handler.handler(event | {'authorizationToken': f'Bearer {token}'}, SimpleNamespace())['principalId'])\n"
    )
    environ = {
        "TIDEGATE_ISSUER": "https://login.shop.example",
        "TIDEGATE_AUDIENCE": "shop",
        "TIDEGATE_ALGORITHMS": "ES256",
    }
    done = subprocess.run([sys.executable, "-I", "-c", code], env=environ, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "https://login.shop.example:ann"


def test_its_packages_are_pinned_with_their_hashes():
    lines = (ROOT / "functions/authorizer/requirements.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert {line.split("==")[0] for line in packages} == {"cffi", "cryptography", "pycparser", "pyjwt"}
    assert sum("--hash=sha256:" in line for line in lines) >= len(packages)


def test_it_is_small_enough_to_start_quickly(archive):
    assert archive.path.stat().st_size < 8_000_000
    names = zipfile.ZipFile(archive.path).namelist()
    assert not any(name.startswith(("functions/api", "python/")) or "tidegate" in name for name in names)


def test_what_it_refuses_at_its_start_is_refused_at_synthesis():
    for algorithm in token_settings.ALGORITHMS:
        assert Tokens("https://a.example", ("shop",), (algorithm,)).algorithms == (algorithm,)
