"""What a deployment says for itself, in the CDK context."""

from dataclasses import replace

import pytest

from infra.stages import AWS, LOCAL
from tidegate_cdk.project.options import NAMES, with_options
from tidegate_cdk.setting_error import SettingError

from .conftest import ROOT


def optioned(stage=AWS, **context):
    return with_options(stage, context.get)


def test_without_options_a_stage_stays_as_it_is():
    assert optioned() is AWS
    assert optioned(LOCAL) is LOCAL


def test_an_environment_is_a_part_of_the_stage_s_name():
    staging = optioned(env="staging")
    assert (staging.name, staging.env) == ("aws-staging", "staging")
    assert (staging.service("api"), AWS.service("api")) == ("api-staging", "api")
    assert replace(staging, name=AWS.name, env=None) == AWS


def test_reserved_concurrency_is_a_number_or_none():
    assert optioned(reserved_concurrency="50").reserved_concurrency == 50
    assert optioned(reserved_concurrency="none").reserved_concurrency is None


def test_a_first_deploy_keeps_its_data_and_protects_nothing_yet():
    first = optioned(first_deploy="true")
    assert (first.keep_data, first.keeping.protected) == (True, False)
    assert optioned(first_deploy="false").keeping.protected
    assert not LOCAL.keeping.protected


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("env", "Staging", "such as -c env=staging"),
        ("env", "a-b", "such as -c env=staging"),
        ("env", "x" * 13, "at most 12"),
        ("account", "12345", "write 12 digits"),
        ("region", "Frankfurt", "such as eu-central-1"),
        ("reserved_concurrency", "1", "2 or more"),
        ("reserved_concurrency", "many", "or none"),
        ("first_deploy", "yes", "write true or false"),
    ],
)
def test_a_value_that_is_none_is_refused_with_what_to_write(name, value, mend):
    with pytest.raises(SettingError, match=mend):
        optioned(**{name: value})


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_local_stage_takes_none_of_them(name):
    with pytest.raises(SettingError, match=f"takes no {name}"):
        optioned(LOCAL, **{name: "x"})


def test_no_more_is_provisioned_than_an_option_reserves():
    started = replace(AWS, provisioned=60, release=replace(AWS.release, weights=()))
    with pytest.raises(SettingError, match="write 1 to 50"):
        optioned(started, reserved_concurrency="50")


def test_every_option_is_in_the_page_of_deployments():
    page = (ROOT / "docs" / "deployments.md").read_text(encoding="utf-8")
    cells = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert [name for name in NAMES if f"`{name}`" not in cells] == []


def test_a_name_needs_its_certificate():
    with pytest.raises(SettingError, match="domain without certificate: write -c domain=api"):
        optioned(domain="api.shop.example")
    with pytest.raises(SettingError, match="zone without domain and certificate"):
        optioned(zone="Z1")
    assert optioned().edge.domain is None


@pytest.mark.parametrize(("name", "value"), [("iam", "maybe"), ("tracing", "1"), ("async_refresh", "on")])
def test_a_switch_is_true_or_false(name, value):
    with pytest.raises(SettingError, match=f"{name} is '{value}': write true or false"):
        optioned(**{name: value})


def test_a_budget_is_whole_dollars():
    with pytest.raises(SettingError, match="such as -c budget=100"):
        optioned(budget="a lot")
    assert optioned(budget="100").operations.budget_usd == 100
