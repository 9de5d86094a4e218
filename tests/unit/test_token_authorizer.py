"""The authorizer of an OIDC issuer's tokens: whom it lets in, and as whom, by an issuer that really answers."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import time
from base64 import urlsafe_b64encode
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from functions.authorizer import keys as key_sets
from functions.authorizer import settings as token_settings
from functions.authorizer.keys import KeySet, KeysUnknownError
from tests.harness.lambda_events import rest_event
from tests.harness.oidc_issuer import DISCOVERY, KEYS, jwk, oidc_issuer
from tests.harness.waiting import eventually
from tidegate import Settings
from tidegate.identity.caller import Identifier
from tidegate_cdk.project.tokens import Tokens
from tidegate_cdk.setting_error import SettingError

RSA, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ARN = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3/api/POST/v1/orders/7"
CONTEXT = SimpleNamespace(aws_request_id="r-1")


@pytest.fixture
def issuer():
    with oidc_issuer() as running:
        running.keys = [jwk(RSA, "rsa", use="sig", alg="RS256"), jwk(EC, "ec")]
        yield running


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authorizer(issuer, clock, monkeypatch):
    """The function's module as a new environment has it, but for its clock."""
    monkeypatch.setenv("TIDEGATE_ISSUER", issuer.url)
    monkeypatch.setenv("TIDEGATE_AUDIENCE", "shop,https://api.shop.example")
    monkeypatch.setenv("TIDEGATE_ALGORITHMS", "RS256,ES256")
    module = importlib.reload(importlib.import_module("functions.authorizer.handler"))
    module.keys = KeySet(issuer.url, clock)
    return module


@pytest.fixture
def token(issuer):
    """`token(key, algorithm, kid, **claims)`: one that is valid but for what is said of it; None leaves a claim out."""

    def signed(key=RSA, algorithm="RS256", kid="rsa", **claims):
        said = {"sub": "ann", "iss": issuer.url, "aud": "shop", "exp": int(time.time()) + 600, **claims}
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode({k: v for k, v in said.items() if v is not None}, key, algorithm, headers=headers)

    return signed


def answer(authorizer, field, arn=ARN):
    return authorizer.handler({"type": "TOKEN", "methodArn": arn, "authorizationToken": field}, CONTEXT)


def allowed(authorizer, text):
    return answer(authorizer, f"Bearer {text}")["principalId"]


def refused(authorizer, text, capsys):
    """The reason in the one line that is written, of a token that API Gateway is to answer with 401."""
    capsys.readouterr()
    with pytest.raises(Exception, match=r"^Unauthorized$") as raised:
        answer(authorizer, text)
    assert type(raised.value) is Exception
    written = capsys.readouterr().out
    (line,) = written.splitlines()
    said = json.loads(line)
    assert (said["message"], said["request_id"]) == ("a token is refused", "r-1")
    parts = [part for part in text.partition(" ")[2].split(".") if len(part) > 8]
    assert not any(part in written for part in parts)
    return said["reason"]


def test_a_valid_token_may_call_all_of_its_api_s_stage(authorizer, token, issuer):
    found = answer(authorizer, f"Bearer {token()}")
    assert found["principalId"] == f"{issuer.url}:ann"
    (statement,) = found["policyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3/api/*",
    }
    root = answer(authorizer, f"bearer  {token()}", ARN.partition("/POST")[0] + "/GET/")
    assert root["policyDocument"] == found["policyDocument"]


def test_both_kinds_of_keys_sign_and_are_fetched_once(authorizer, token, issuer):
    assert allowed(authorizer, token()) == allowed(authorizer, token(EC, "ES256", "ec")) == f"{issuer.url}:ann"
    assert allowed(authorizer, token(aud=["bank", "https://api.shop.example"])) == f"{issuer.url}:ann"
    assert issuer.asked == [DISCOVERY, KEYS]


def test_the_library_reads_the_caller_out_of_the_answer(authorizer, token, issuer):
    claims = {"org_id": "acme", "tier": "pro", "criticality": "critical", "timeZone": "Asia/Tokyo", "zoneinfo": "UTC"}
    found = answer(authorizer, f"Bearer {token(**claims, roles=['a'], scope='orders')}")
    assert all(isinstance(value, str) for value in found["context"].values())
    event = rest_event(authorizer={"principalId": found["principalId"], **found["context"]}, api_key_id="id1")
    caller = Identifier(Settings(memory_only=True))({"type": "http", "headers": [], "aws.event": event})
    assert caller.principal == f"user:{issuer.url}:ann"
    assert (caller.organisation, caller.tier, caller.highest) == ("acme", "pro", "critical")
    assert caller.expressed
    assert caller.time_zone is None, "callers write it themselves"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "it has expired"),
        ({"exp": None}, "it has no exp"),
        ({"exp": float("inf")}, "it can't be read"),
        ({"nbf": 9_000_000_000}, "it isn't valid yet"),
        ({"aud": "bank"}, "it is for another audience"),
        ({"aud": None}, "it has no aud"),
        ({"iss": "https://evil.example.com"}, "it is of another issuer"),
        ({"iss": None}, "it has no iss"),
        ({"sub": None}, "it has no sub"),
        ({"sub": ""}, "its subject is empty"),
        ({"sub": 7}, "its subject is no text"),
    ],
)
def test_a_claim_that_is_wrong_is_told_in_the_log(authorizer, token, capsys, claims, reason):
    assert refused(authorizer, f"Bearer {token(**claims)}", capsys) == reason


def forged(issuer):
    """HS256 by the published key, which a verifier may take for a secret."""
    said = {"sub": "ann", "iss": issuer.url, "aud": "shop", "exp": int(time.time()) + 600}
    parts = [encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "rsa"}, said)]
    return ".".join([*parts, encoded(hmac.new(PEM, ".".join(parts).encode(), hashlib.sha256).digest())])


def encoded(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_no_other_algorithm_is_accepted(authorizer, token, issuer, capsys):
    none_of = "its algorithm is none of RS256,ES256"
    for bad in (forged(issuer), token(None, "none"), token(RSA, "PS256"), token(RSA, "RS512")):
        assert refused(authorizer, f"Bearer {bad}", capsys) == none_of
    assert issuer.asked == [], "no key is needed for that"


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
def test_a_signature_by_another_key_is_none(authorizer, token, issuer, capsys):
    assert "signature" in refused(authorizer, f"Bearer {token(OTHER)}", capsys)
    assert "another algorithm" in refused(authorizer, f"Bearer {token(EC, 'ES256', 'rsa')}", capsys)
    assert "another algorithm" in refused(authorizer, f"Bearer {token(RSA, 'RS256', 'ec')}", capsys)
    claims = encoded(json.dumps({"sub": "root"}).encode())
    header, _, signature = token().split(".")
    assert "signature" in refused(authorizer, f"Bearer {header}.{claims}.{signature}", capsys)
    issuer.keys = [jwk(SHORT, "short")]
    authorizer.keys = KeySet(issuer.url)
    assert "too short" in refused(authorizer, f"Bearer {token(SHORT, 'RS256', 'short')}", capsys)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Bearer",
        "Basic YW5uOnNlY3JldA==",
        "Bearer YW5u",
        "Bearer a.b.c",
        f"Bearer {encoded(b'[' * 6000)}.e30.e30",
        f"Bearer {encoded(b'7')}.e30.e30",
        f"Bearer {encoded(json.dumps({'alg': ['RS256'], 'kid': 'rsa'}).encode())}.e30.e30",
        f"Bearer {encoded(json.dumps({'alg': 'RS256', 'kid': {}}).encode())}.e30.e30",
        f"Bearer {encoded(json.dumps({'alg': 'RS256', 'kid': 'rsa', 'crit': ['exp']}).encode())}.e30.e30",
        "Bearer " + "x" * 9000,
    ],
    ids=range(11),
)
def test_what_is_no_token_is_refused_without_a_fetch(authorizer, issuer, capsys, field):
    assert refused(authorizer, field, capsys)
    assert issuer.asked == []


def test_keys_that_rotate_are_found_at_the_first_token_of_theirs(authorizer, token, issuer, clock, capsys):
    assert allowed(authorizer, token())
    issuer.keys = [jwk(OTHER, "next")]
    assert "publishes no key" in refused(authorizer, f"Bearer {token(OTHER, kid='next')}", capsys)
    clock.now += 30
    assert allowed(authorizer, token(OTHER, kid="next"))
    assert "publishes no key" in refused(authorizer, f"Bearer {token()}", capsys)


def test_a_flood_of_unknown_keys_causes_no_flood_of_fetches(authorizer, token, issuer, clock, capsys):
    for n in range(5):
        assert "publishes no key" in refused(authorizer, f"Bearer {token(kid=f'made-up-{n}')}", capsys)
    assert issuer.asked.count(KEYS) == 1
    clock.now += 30
    for n in range(5):
        refused(authorizer, f"Bearer {token(kid=f'made-up-{n}')}", capsys)
    assert issuer.asked.count(KEYS) == 2


def test_keys_without_a_name_are_used_if_there_is_one_alone(authorizer, token, issuer, clock, capsys):
    assert "publishes no key" in refused(authorizer, f"Bearer {token(kid=None)}", capsys)
    issuer.keys = [jwk(RSA, None), jwk(OTHER, None, use="enc"), {"kty": "quantum"}, {"kty": "oct", "k": "c2VjcmV0"}]
    clock.now += 30
    assert allowed(authorizer, token(kid=None))


def test_while_the_issuer_is_down_its_keys_are_used_for_long(authorizer, token, issuer, clock, capsys):
    assert allowed(authorizer, token())
    issuer.down = True
    clock.now += 90_000
    assert allowed(authorizer, token())
    assert "the issuer's keys can't be fetched" in capsys.readouterr().out
    asked = len(issuer.asked)
    assert allowed(authorizer, token())
    assert len(issuer.asked) == asked, "half a minute isn't over"


def test_without_keys_the_question_fails_and_nobody_is_refused(authorizer, token, issuer, clock, capsys):
    issuer.down = True
    for _ in range(3):
        with pytest.raises(KeysUnknownError, match=issuer.url):
            answer(authorizer, f"Bearer {token()}")
    assert len(issuer.asked) == 1, "an issuer that is down isn't asked at each request"
    line = json.loads(capsys.readouterr().out)
    assert DISCOVERY in line["reason"]
    issuer.down = False
    clock.now += 2
    assert allowed(authorizer, token())


def test_an_issuer_that_hangs_is_waited_for_no_longer_than_bearable(authorizer, token, issuer, monkeypatch):
    monkeypatch.setattr(key_sets, "_PATIENCE_S", 0.01)
    issuer.answering.clear()
    with pytest.raises(KeysUnknownError):
        answer(authorizer, f"Bearer {token()}")
    issuer.answering.set()
    eventually(lambda: authorizer.keys._keys)
    assert allowed(authorizer, token())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda issuer: issuer.said.update(issuer="https://other.example.com"), "https://other.example.com"),
        (lambda issuer: issuer.said.update(jwks_uri="http://localhost/keys"), "isn't https"),
        (lambda issuer: issuer.said.update(jwks_uri="file:///etc/passwd"), "isn't https"),
        (lambda issuer: issuer.said.update(jwks_uri="http://127.0.0.1@evil.example/keys"), "isn't https"),
        (lambda issuer: issuer.said.update(jwks_uri=None), "isn't https"),
        (lambda issuer: issuer.said.update(filler="x" * (1 << 20)), "longer than"),
        (lambda issuer: setattr(issuer, "moved", f"{issuer.url}/elsewhere"), "302"),
        (lambda issuer: setattr(issuer, "keys", []), "no key that verifies"),
        (lambda issuer: setattr(issuer, "keys", {"a": "b"}), "no key that verifies"),
    ],
)
def test_keys_that_anybody_could_have_put_there_are_none(authorizer, token, issuer, capsys, make, reason):
    make(issuer)
    with pytest.raises(KeysUnknownError):
        answer(authorizer, f"Bearer {token()}")
    assert reason in json.loads(capsys.readouterr().out)["reason"]


GIVEN = {"TIDEGATE_ISSUER": "https://a.example/", "TIDEGATE_AUDIENCE": "shop", "TIDEGATE_ALGORITHMS": "ES256"}


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("TIDEGATE_ISSUER", "", "such as https://login.example.com"),
        ("TIDEGATE_ISSUER", "http://login.example.com", "such as https://login.example.com"),
        ("TIDEGATE_ISSUER", "https://login.example.com?x", "such as https://login.example.com"),
        ("TIDEGATE_ISSUER", "https://[", "such as https://login.example.com"),
        ("TIDEGATE_AUDIENCE", "", "such as"),
        ("TIDEGATE_AUDIENCE", "shop,", "such as"),
        ("TIDEGATE_ALGORITHMS", "", "write some of RS256"),
        ("TIDEGATE_ALGORITHMS", "RS256,none", "write some of RS256"),
        ("TIDEGATE_ALGORITHMS", "HS256", "write some of RS256"),
    ],
)
def test_a_setting_that_is_none_fails_at_start_and_at_synthesis(name, value, mend):
    assert token_settings.read(GIVEN).issuer == "https://a.example/"
    with pytest.raises(token_settings.ConfigurationError, match=f"{name}.*{mend}"):
        token_settings.read(GIVEN | {name: value})
    told = {n.removeprefix("TIDEGATE_").lower(): v for n, v in (GIVEN | {name: value}).items()}
    with pytest.raises(SettingError, match=mend):
        Tokens(told["issuer"], tuple(told["audience"].split(",")), tuple(told["algorithms"].split(",")))
