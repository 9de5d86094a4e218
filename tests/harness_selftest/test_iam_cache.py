"""The cache takes tokens of the library's and of the judge's alone; the fitted template lacks what it names."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from functions.rollout.counts_in_redis import _iam
from tests.harness.fitted_template import fitted, released
from tests.harness.iam_cache import IamCache, Identity, fault
from tidegate.redis_driver.elasticache_iam import IamCredentials

SHOP = Identity("shop", "buyer")


def token(user="buyer", cache="shop"):
    return IamCredentials(user, cache, region="us-east-1").get_credentials()[1]


def wrong(of, user="buyer", later_s=0):
    return fault(of, user, SHOP, datetime.now(UTC) + timedelta(seconds=later_s))


@pytest.mark.parametrize("signed", [token, lambda: _iam("buyer", "shop", "us-east-1").get_credentials()[1]])
def test_a_token_is_taken_as_long_as_it_is_valid(signed):
    assert wrong(signed()) is None
    assert wrong(signed(), later_s=890) is None
    assert wrong(signed(), later_s=910).startswith("its age: 9")


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda: token(user="other"), "its form: User"),
        (lambda: token(cache="other"), "it is for other"),
        (lambda: token().replace("Action=connect", "Action=drop"), "its form: Action"),
        (lambda: token().replace("%2Felasticache%2F", "%2Fs3%2F"), "its form: X-Amz-Credential"),
        (lambda: token().replace("X-Amz-Expires=900", "X-Amz-Expires=86400"), "its age"),
        (lambda: token()[:-4] + "0000", "its signature"),
        (lambda: token().split("&X-Amz-Date")[0], "its form"),
        (lambda: "password", "it is for password"),
    ],
)
def test_another_token_is_refused(of, said):
    assert wrong(of()).startswith(said)


def test_whose_token_is_taken_is_let_into_redis(fresh_redis, tmp_path):
    fresh_redis.command("ACL", "SETUSER", "buyer", "on", ">secret", "~*", "+@all")
    with IamCache(lambda: fresh_redis.port, SHOP, "secret", tmp_path) as cache:
        options = {"ssl_ca_certs": str(cache.certificate.certificate), "ssl": True, "username": "buyer"}
        with redis.Redis("127.0.0.1", cache.port, password=token(), **options) as client:
            assert client.acl_whoami() == "buyer"
            assert client.set("key", "x" * 100_000)
            assert len(client.get("key")) == 100_000
        with (
            redis.Redis("127.0.0.1", cache.port, password="secret", **options) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
        assert (cache.taken, set(cache.refused)) == (1, {"it is for secret and buyer"})


TEMPLATE = {
    "Resources": {
        "Cache": {"Type": "AWS::ElastiCache::ServerlessCache", "Properties": {}},
        "Made": {
            "Type": "AWS::Lambda::Function",
            "DependsOn": ["Cache", "Topic"],
            "Properties": {
                "FunctionName": "shop-api",
                "Code": {"S3Key": "old"},
                "Environment": {"Variables": {"TIDEGATE_REDIS_URL": {"Fn::GetAtt": ["Cache", "Endpoint"]}}},
            },
        },
        "MadeCurrentVersion123": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Made"}}},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Math": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
    },
    "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Cache", "Endpoint"]}}, "Name": {"Value": {"Ref": "Topic"}}},
}


def test_a_template_is_fitted_by_what_the_engine_knows():
    template, left_out = fitted(TEMPLATE, "rediss://here")
    assert left_out == {"AWS::ElastiCache::ServerlessCache"}
    assert set(template["Resources"]) == {"Made", "MadeCurrentVersion123", "Topic"}
    assert set(template["Outputs"]) == {"Name"}
    made = template["Resources"]["Made"]
    assert made["DependsOn"] == ["Topic"]
    assert made["Properties"]["Environment"]["Variables"] == {"TIDEGATE_REDIS_URL": "rediss://here"}


def test_other_code_is_another_version():
    template = released(fitted(TEMPLATE, "rediss://here")[0], "api", "new.zip")
    assert template["Resources"]["Made"]["Properties"]["Code"] == {"S3Key": "new.zip"}
    assert "MadeCurrentVersionnewzip" in template["Resources"]
