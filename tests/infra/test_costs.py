"""The costs: pure arithmetic over a template and a price list, and a page that says what the command prints."""

import json
import math

import pytest

from infra.costs.__main__ import main
from infra.costs.idle import FREE, idle
from infra.costs.line import total
from infra.costs.page import BEGIN, END, PageError, text, written
from infra.costs.prices import Price, PriceList, PricesError, Request, read
from infra.costs.requests import per_million, with_traffic
from tests.infra.conftest import ROOT

PAGE = (ROOT / "docs" / "aws.md").read_text()
REQUEST = Request(
    duration_ms=100,
    log_bytes=1000,
    access_log_bytes=500,
    traced_share=0.25,
    response_bytes=2000,
    redis_ecpus=2,
    orders_share=0.5,
    writes_per_order=4,
    reads_per_request=3,
    metrics_with_traffic=10,
)


class Dollars(dict):
    """Every price is a dollar, so that a line's sum is its quantity."""

    def __contains__(self, name):
        return True

    def __missing__(self, name):
        return Price(name, 1.0, "thing", "a page", "2026")


@pytest.fixture(scope="module")
def dollars():
    return PriceList("2026-01-01", "nowhere", Dollars(), REQUEST)


def of(kind, **properties):
    return {"Resources": {"It": {"Type": kind, "Properties": properties}}}


def amounts(template, prices):
    return {line.price.name: line.usd for line in idle(template, prices).lines}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (of("AWS::EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=[1, 2]), {"interface_endpoint": 1460}),
        (of("AWS::EC2::VPCEndpoint", VpcEndpointType="Gateway"), {}),
        (of("AWS::ElastiCache::ServerlessCache", Engine="valkey"), {"elasticache_storage": 73}),
        (of("AWS::ElastiCache::ServerlessCache", Engine="redis"), {"elasticache_storage": 730}),
        (
            of(
                "AWS::ElastiCache::ServerlessCache",
                Engine="valkey",
                CacheUsageLimits={"DataStorage": {"Minimum": 2}, "ECPUPerSecond": {"Minimum": 1000}},
            ),
            {"elasticache_storage": 1460, "elasticache_ecpu": 2628},
        ),
        (of("AWS::CloudWatch::Alarm", MetricName="Errors"), {"alarm_metric": 1}),
        (
            of("AWS::CloudWatch::Alarm", Metrics=[{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a/b"}]),
            {"alarm_metric": 2},
        ),
        (of("AWS::WAFv2::WebACL", Rules=[{}, {}, {}]), {"web_acl": 1, "web_acl_rule": 3}),
        (of("AWS::Lambda::EventSourceMapping"), {"sqs_requests": 0.657}),
        (of("AWS::Lambda::Alias", FunctionName={"Ref": "gone"}), {}),
        (of("AWS::DynamoDB::Table"), {}),
    ],
)
def test_a_resource_costs_its_quantity_at_its_price(template, expected, dollars):
    found = amounts(template, dollars)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[name], usd) for name, usd in expected.items())


def test_provisioned_environments_are_billed_by_memory_and_time(dollars):
    function = {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 2048}}
    wanted = {"FunctionName": {"Ref": "Api"}, "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 3}}
    template = {"Resources": {"Api": function, "Live": {"Type": "AWS::Lambda::Alias", "Properties": wanted}}}
    assert amounts(template, dollars) == {"lambda_provisioned_arm64": 3 * 2 * 730 * 3600}


def test_what_has_no_price_is_named(dollars):
    found = idle(of("AWS::Synthetics::Canary"), dollars)
    assert found.unpriced == ("AWS::Synthetics::Canary",)
    assert "short of them: AWS::Synthetics::Canary." in text(found, (), (), dollars)


def api(**properties):
    return of("AWS::Lambda::Function", FunctionName="Tidegate-aws-api", MemorySize=1024, **properties)


def test_a_million_requests_cost_what_each_takes(dollars):
    template = api(Architectures=["arm64"], TracingConfig={"Mode": "Active"})
    template["Resources"] |= {"Cache": {"Type": "AWS::ElastiCache::ServerlessCache"}}
    template["Resources"] |= {"Wall": {"Type": "AWS::WAFv2::WebACL"}}
    assert {line.price.name: line.usd for line in per_million(template, dollars)} == {
        "rest_api_requests": 1,
        "lambda_requests": 1,
        "lambda_arm64": 100_000,
        "log_ingestion": 1,
        "data_out": 2,
        "dynamodb_writes": 2,
        "dynamodb_reads": 3,
        "elasticache_ecpu": 2,
        "web_acl_requests": 1,
        "traces": 0.25,
    }


def test_the_edge_s_access_log_is_billed_as_a_log(dollars):
    template = api()
    template["Resources"] |= {"Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"AccessLogSetting": {}}}}
    found = {line.what: line.usd for line in per_million(template, dollars)}
    assert found["the edge's access log"] == 0.5


def test_what_the_template_lacks_is_not_billed(dollars):
    names = {line.price.name for line in per_million(api(), dollars)}
    assert "lambda_x86" in names
    assert not names & {"elasticache_ecpu", "web_acl_requests", "traces", "lambda_arm64"}
    assert total(with_traffic(dollars)) == 10


def test_all_that_the_stages_make_has_a_price_or_is_free(synthesized):
    assert idle(synthesized.document, read()).unpriced == ()
    assert {f"AWS::CodeDeploy::{part}" for part in ("Application", "DeploymentConfig", "DeploymentGroup")} <= FREE


def test_the_page_says_what_the_command_prints(both, tmp_path, capsys):
    if 'name = "tidegate"\n' not in (ROOT / "pyproject.toml").read_text():
        pytest.skip("a project's stage is its own, and the page is Tidegate's")
    template, page = tmp_path / "Tidegate-aws.template.json", tmp_path / "aws.md"
    template.write_text(json.dumps(both["aws"].document))
    page.write_text(f"# AWS\n\n{BEGIN}\n{END}\n")
    main([str(template), "--write", "--page", str(page)])
    printed = capsys.readouterr().out.strip()
    assert printed in page.read_text()
    assert printed in PAGE, "run `make costs ARGS=--write`"


@pytest.mark.parametrize("page", ["# AWS\n", f"{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_a_page_without_a_place_for_them_is_refused(page):
    with pytest.raises(PageError, match="each once"):
        written(page, "tables")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ('region = "x"', "no prices"),
        ('as_of = "x"\nregion = "x"\n[prices.a]\nusd = -1\nper = "x"\nsource = ""\ndated = ""\n', "prices.a.usd"),
        ('as_of = "x"\nregion = "x"\n[prices.a]\nusd = 1\nper = "x"\nsource = "y"\ndated = ""\n', "both source"),
        ('as_of = "x"\nregion = "x"\n[prices]\n[request]\nduration = 3\n', "duration"),
    ],
)
def test_a_price_list_that_is_none_says_what_to_write(tmp_path, told, why):
    file = tmp_path / "prices.toml"
    file.write_text(told)
    with pytest.raises(PricesError, match=why):
        read(file)


def test_a_price_that_is_missing_is_named():
    with pytest.raises(PricesError, match=r"\[prices.moonlight\]"):
        read()["moonlight"]


def test_every_price_is_sourced_and_dated_or_said_to_be_neither():
    prices = read()
    assert all(price.dated for price in prices.prices.values() if price.source)
    assert "interface_endpoint" not in prices.unsourced()
    assert "kms_key" in prices.unsourced()
