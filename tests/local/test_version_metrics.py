"""The engine publishes what Lambda does of the versions behind an alias, and answers CloudWatch's trimmed counts."""

import contextlib
import time
from hashlib import sha256

import pytest

from functions.rollout.counts_in_cloudwatch import MetricCounts
from functions.rollout.metrics import LAMBDA
from tidegate_local import cloud
from tidegate_local.engines.ministack.version_metrics import trimmed_count

SOURCE = """
def handler(event, context):
    if event.get("fails"):
        raise ValueError("as asked")
    return context.function_version
"""


@pytest.fixture
def cloudwatch(running_engine):
    with contextlib.closing(cloud.client("cloudwatch", running_engine.url)) as client:
        yield client


@pytest.fixture
def counted(functions, make_function, request):
    """A function with an alias `live` on version 1 alone."""
    name = f"counted-{sha256(request.node.name.encode()).hexdigest()[:12]}"
    make_function(name, SOURCE)
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_the_controller_reads_an_alias_s_invocations(functions, cloudwatch, counted):
    began = int(time.time())
    for payload in (b"{}", b"{}", b'{"fails": true}'):
        functions.invoke(FunctionName=counted, Qualifier="live", Payload=payload)
    functions.invoke(FunctionName=counted, Qualifier="1", Payload=b"{}")  # by its number: the alias has no part in it
    in_a_while = int(time.time()) + 120
    found = MetricCounts(cloudwatch, LAMBDA, "live", in_a_while).by_minute(counted, "1", began)
    counts = [each.warm for each in found.values()]
    assert sum(each.requests for each in counts) == 3
    assert sum(each.failed for each in counts) == 1
    assert sum(each.latency.total for each in counts) == 3
    assert MetricCounts(cloudwatch, LAMBDA, "live", in_a_while).by_minute(counted, "2", began) == {}


def test_a_minute_that_has_not_ended_is_not_read(functions, cloudwatch, counted):
    began = int(time.time())
    functions.invoke(FunctionName=counted, Qualifier="live", Payload=b"{}")
    assert MetricCounts(cloudwatch, LAMBDA, "live", began).by_minute(counted, "1", began) == {}


@pytest.mark.parametrize(
    ("statistic", "count"), [("TC(1:5)", 3), ("TC(0:1)", 2), ("TC(5:9.5)", 1), ("TC(10:20)", 0), ("p95", None)]
)
def test_a_trimmed_count_excludes_its_lower_bound(statistic, count):
    assert trimmed_count([(1, 2), (5, 3), (9.5, 1)], statistic) == count
