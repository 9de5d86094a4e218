from dataclasses import FrozenInstanceError, replace

import pytest

from infra.stages import AWS, LOCAL, select
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.setting_error import SettingError


def test_each_stage_is_selected_by_its_name():
    assert select("local") is LOCAL
    assert select("aws") is AWS


@pytest.mark.parametrize("name", ["prod", "", None, "LOCAL"])
def test_another_name_is_refused_with_those_that_exist(name):
    with pytest.raises(SettingError, match=r"use -c stage=local or -c stage=aws"):
        select(name)


def test_the_local_stage_takes_a_redis_of_the_context():
    assert select("local", "redis://127.0.0.1:7777/0").redis_url == "redis://127.0.0.1:7777/0"
    assert select("local", "").redis_url == LOCAL.redis_url


def test_a_redis_url_must_be_one():
    with pytest.raises(SettingError, match="must start with redis://"):
        select("local", "127.0.0.1:6379")


def test_the_aws_stage_has_a_cache_of_its_own():
    with pytest.raises(SettingError, match="takes no redis_url"):
        select("aws", "redis://127.0.0.1:6379/0")


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        LOCAL.memory_mb = 1
    with pytest.raises(TypeError):
        LOCAL.plans["free"] = None


def test_tiers_are_ordered_by_what_they_may_ask_for():
    free, pro, internal = (LOCAL.plans[tier] for tier in ("free", "pro", "internal"))
    assert free.throttle.rate_per_s < pro.throttle.rate_per_s < internal.throttle.rate_per_s
    assert free.quota_per_day < pro.quota_per_day
    assert internal.quota_per_day is None
    assert internal.throttle.rate_per_s <= LOCAL.throttle.rate_per_s


AT_ONCE = Rollout(weights=())


def test_provisioned_concurrency_and_snapstart_exclude_each_other():
    with pytest.raises(SettingError, match="write snap_start=False, or provisioned=None"):
        replace(AWS, provisioned=5, snap_start=True, release=AT_ONCE)


def test_an_alias_with_provisioned_concurrency_takes_no_weights():
    with pytest.raises(SettingError, match="release with strategy=all-at-once"):
        replace(AWS, provisioned=5)
    assert replace(AWS, provisioned=1, release=AT_ONCE).provisioned == 1


@pytest.mark.parametrize("provisioned", [0, -1, AWS.reserved_concurrency + 1])
def test_no_more_is_provisioned_than_is_reserved(provisioned):
    with pytest.raises(SettingError, match=f"write 1 to {AWS.reserved_concurrency}, its reserved_concurrency"):
        replace(AWS, provisioned=provisioned, release=AT_ONCE)


@pytest.mark.parametrize("timeout_s", [0, -1, 30, 60, 900])
def test_no_function_answers_later_than_the_gateway_waits(timeout_s):
    with pytest.raises(SettingError, match="write 1 to 29"):
        replace(AWS, timeout_s=timeout_s)
    assert replace(AWS, timeout_s=29).timeout_s == 29


@pytest.mark.parametrize("worker_timeout_s", [0, 901])
def test_no_batch_runs_longer_than_lambda_lets_it(worker_timeout_s):
    with pytest.raises(SettingError, match="write 1 to 900"):
        replace(AWS, worker_timeout_s=worker_timeout_s)
