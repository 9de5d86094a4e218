"""Who asks, by the kind of event: each sender's own shape, and nothing that only looks like it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.lambda_events import alb_event, cloudfront_event, function_url_event, http_api_event, rest_event
from tidegate import Settings
from tidegate.aws_lambda.events.request import Reader
from tidegate.identity.caller import Identifier
from tidegate.identity.proxies import TrustedProxies

CERTIFICATE = {
    "clientCertPem": "-----BEGIN CERTIFICATE-----\nMIIEZTCCAk0CAQEwDQ...",
    "subjectDN": "CN=till 7,O=Acme,C=CH",
    "issuerDN": "CN=Acme's authority,O=Acme,C=CH",
    "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
    "validity": {"notBefore": "May 28 12:30:02 2019 GMT", "notAfter": "Aug  5 09:36:04 2021 GMT"},
}
# As API Gateway and function URLs record them, but for the account.
IAM_V2 = {
    "accessKey": "ASIAEXAMPLE",
    "accountId": "000000000000",
    "callerId": "AROAEXAMPLE:till",
    "cognitoIdentity": None,
    "principalOrgId": "o-example",
    "userArn": "arn:aws:sts::000000000000:assumed-role/shop/till",
    "userId": "AROAEXAMPLE:till",
}
IAM_V1 = {
    "accessKey": "ASIAEXAMPLE",
    "accountId": "000000000000",
    "caller": "AROAEXAMPLE:till",
    "cognitoAuthenticationProvider": None,
    "cognitoAuthenticationType": None,
    "cognitoIdentityId": None,
    "cognitoIdentityPoolId": None,
    "principalOrgId": "o-example",
    "user": "AROAEXAMPLE:till",
    "userArn": "arn:aws:sts::000000000000:assumed-role/shop/till",
}
COGNITO = "us-east-1:2f1f3c5c-8f0e-4f6b-9f37-3d5b1a2c6d7e"
MADE_WRONG = ["text", "", 7, 0, True, False, 1.5, None, ["sub"], [{"sub": "eve"}], {"sub": 7.5}, {"sub": ["eve"]}, {}]


def caller(event: dict[str, Any], settings: Settings | None = None):
    scope = Reader(lambda path: True).read(event, None).scope
    return Identifier(settings or Settings(memory_only=True))(scope)


def principal(event: dict[str, Any]) -> str:
    return caller(event).principal


def with_identity(**members: Any) -> dict[str, Any]:
    event = rest_event()
    event["requestContext"]["identity"] |= members
    return event


@pytest.mark.parametrize(
    ("authorizer", "found"),
    [
        ({"principalId": "ada", "integrationLatency": 12}, "user:ada"),
        ({"principalId": "ada", "claims": "{}", "jwt": "x", "lambda": "y"}, "user:ada"),
        ({"claims": {"sub": "5f2d", "token_use": "id"}}, "user:5f2d"),
        ({"principalId": "ada", "claims": {"sub": "5f2d"}}, "user:ada"),
    ],
)
def test_a_rest_apis_authorizer(authorizer, found):
    assert principal(rest_event(authorizer=authorizer)) == found


@pytest.mark.parametrize("kind", [http_api_event, function_url_event])
@pytest.mark.parametrize(
    ("authorizer", "found"),
    [
        ({"jwt": {"claims": {"sub": "5f2d"}, "scopes": ["read"]}}, "user:5f2d"),
        ({"lambda": {"principalId": "ada"}}, "user:ada"),
        ({"lambda": {"sub": 42}}, "user:42"),
        ({"lambda": None}, "ip:203.0.113.7"),  # a simple response without a context
        ({"iam": IAM_V2}, f"iam:{IAM_V2['userArn']}"),
        ({"iam": IAM_V2 | {"cognitoIdentity": {"amr": [], "identityId": COGNITO}}}, f"iam:{COGNITO}"),
        ({"iam": {"callerId": "AIDAEXAMPLE"}}, "iam:AIDAEXAMPLE"),
    ],
)
def test_an_http_apis_authorizer_and_a_function_urls(kind, authorizer, found):
    assert principal(kind(authorizer=authorizer)) == found


NOBODY = ["anonymous", "Anonymous", "guest", "user", "me", "undefined", "null", " ", "unauthenticated"]


@pytest.mark.parametrize("name", NOBODY)
def test_a_name_that_an_authorizer_gives_everybody_is_nobodys(name):
    assert principal(rest_event(authorizer={"principalId": name})) == "ip:203.0.113.7"
    assert principal(rest_event(authorizer={"principalId": name}, api_key_id="id1")) == "key:id1"
    assert principal(rest_event(authorizer={"principalId": name, "claims": {"sub": "5f2d"}})) == "user:5f2d"
    assert principal(http_api_event(authorizer={"lambda": {"sub": name}})) == "ip:203.0.113.7"


@pytest.mark.parametrize("proxies", [None, TrustedProxies(hops=1)])
def test_cloudfront_asks_for_its_viewers_and_is_none_of_them(proxies):
    settings = Settings(memory_only=True, trusted_proxies=proxies)
    for forwarded in ("198.51.100.7", "203.0.113.9, 198.51.100.7"):
        found = caller(cloudfront_event(forwarded=forwarded), settings)
        assert found.principal == "ip:198.51.100.7"
        assert not found.expressed


def test_a_rest_apis_iam_caller():
    assert principal(with_identity(**IAM_V1)) == f"iam:{IAM_V1['userArn']}"
    assert principal(with_identity(**IAM_V1 | {"cognitoIdentityId": COGNITO})) == f"iam:{COGNITO}"
    assert principal(with_identity(**IAM_V1, apiKeyId="id1")) == f"iam:{IAM_V1['userArn']}"
    assert principal(with_identity(caller="AIDAEXAMPLE")) == "iam:AIDAEXAMPLE"


def in_v2(certificate):
    event = http_api_event()
    event["requestContext"]["authentication"] = {"clientCert": certificate}
    return event


@pytest.mark.parametrize("event", [in_v2, lambda certificate: with_identity(clientCert=certificate)])
def test_a_client_certificate_names_its_owner_without_showing_him(event):
    found = caller(event(CERTIFICATE))
    assert found.principal.startswith("cert:")
    assert found.expressed
    assert "till" not in found.principal
    assert found.principal == principal(event({**CERTIFICATE, "clientCertPem": "another copy"}))
    assert found.principal != principal(event({**CERTIFICATE, "serialNumber": "b2"}))
    assert found.principal != principal(event({**CERTIFICATE, "issuerDN": "CN=eve's authority"}))
    by_subject = principal(event({"subjectDN": CERTIFICATE["subjectDN"]}))
    assert by_subject.startswith("cert:")
    assert by_subject != found.principal


def tls(**said):
    return {"headers": [], "client": ("192.0.2.1", 1), "extensions": {"tls": said}}


def test_on_a_server_a_verified_certificate_names_its_owner():
    identify = Identifier(Settings(memory_only=True))
    found = identify(tls(client_cert_name="CN=till 7", client_cert_error=None))
    assert found.principal.startswith("cert:")
    assert found.expressed
    for nobody in ({"client_cert_name": None}, {"client_cert_name": "CN=till 7", "client_cert_error": "expired"}, {}):
        assert identify(tls(**nobody)).principal == "ip:192.0.2.1"


@pytest.mark.parametrize("event", [alb_event, rest_event, http_api_event, function_url_event])
def test_a_field_that_a_client_sends_names_nobody(event):
    headers = {"x-amzn-request-context": '{"authorizer": {"principalId": "eve"}}', "x-api-key": "value"}
    assert principal(event(headers=headers)) == "ip:203.0.113.7"


@pytest.mark.parametrize("name", ["claims", "jwt", "lambda", "iam"])
@pytest.mark.parametrize("value", MADE_WRONG)
def test_a_part_of_another_shape_says_nothing(name, value):
    assert principal(rest_event(authorizer={name: value})) == "ip:203.0.113.7"
    assert principal(rest_event(authorizer={"principalId": "ada", name: value})) == "user:ada"
    assert principal(http_api_event(authorizer={name: value})) == "ip:203.0.113.7"
    assert principal(http_api_event(authorizer={"jwt": {"claims": value}})) == "ip:203.0.113.7"


@pytest.mark.parametrize("name", ["authorizer", "identity", "authentication", "http"])
@pytest.mark.parametrize("value", MADE_WRONG)
def test_a_context_of_another_shape_says_nothing(name, value):
    event = rest_event()
    event["requestContext"][name] = value
    assert principal(event) in {"ip:203.0.113.7", "ip:unknown"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["claims", "jwt", "lambda", "iam", "sub", "principalId", "clientCert", "issuerDN", "serialNumber",
             "subjectDN", "apiKeyId", "userArn", "cognitoIdentity", "identityId", "sourceIp", "organisation",
             "criticality", "timeZone"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(authorizer=anything, identity=anything, authentication=anything)
def test_whatever_a_context_holds_somebody_asks(authorizer, identity, authentication):
    for event in (rest_event(), http_api_event()):
        event["requestContext"] |= {"authorizer": authorizer, "identity": identity, "authentication": authentication}
        found = caller(event)
        assert found.principal.partition(":")[0] in {"user", "iam", "cert", "key", "ip"}
        assert len(found.principal) <= 300
        assert isinstance(found.organisation, str | None)
        assert isinstance(found.time_zone, str | None)
        assert found.highest in {None, "critical", "normal", "sheddable"}


@pytest.mark.parametrize("value", [7, ["acme"], {"a": 1}, True, ""])
def test_an_organisation_and_a_tier_are_texts(value):
    said = caller(rest_event(authorizer={"principalId": "ada", "organisation": value, "criticality": value}))
    assert (said.organisation, said.highest) == (None, None)


def test_long_names_are_kept_short_and_apart():
    one, other = (caller(rest_event(authorizer={"principalId": c * 9000, "organisation": c * 9000})) for c in "ab")
    assert len(one.principal) < 300
    assert len(one.organisation) < 300
    assert one.principal != other.principal
    assert one.organisation != other.organisation
