"""What a release waits for may not wait for the release's aliases: a circle is said with its way, and what to do."""

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch

from tests.infra.outsider import function
from tidegate_cdk import JudgedRelease, ProtectedApi


@pytest.fixture
def stack(tmp_path):
    return Stack(App(outdir=str(tmp_path)), "Sums")


def names_the_other(first, second, release):
    first.add_environment("OTHER", release.alias(second).function_arn)


def may_call_the_other(first, second, release):
    release.alias(second).grant_invoke(first)


def knows_its_url(first, second, release):
    api = apigateway.LambdaRestApi(first.stack, "Api", handler=release.alias(first))
    first.add_environment("URL", api.url)


@pytest.mark.parametrize(
    ("refer", "said"),
    [
        (names_the_other, "Sums/A refers to Sums/Release/Alias.*, which waits until Sums/A is released: leave the"),
        (may_call_the_other, "Sums/A refers, by way of Sums/A/ServiceRole/DefaultPolicy, to Sums/Release/Alias"),
        (knows_its_url, "Sums/A refers, by way of Sums/Api/DeploymentStage.prod and .*, to Sums/Release/Alias"),
    ],
)
def test_a_released_function_that_refers_to_an_alias_is_refused(stack, refer, said):
    first, second = function(stack, "A"), function(stack, "B")
    refer(first, second, JudgedRelease(stack, "Release", functions=[first, second]))
    with pytest.raises(RuntimeError, match=said):
        stack.node.root.synth()


def test_a_migration_that_refers_to_an_alias_is_refused(stack):
    released, migrate = function(stack, "A"), function(stack, "Migrate")
    release = JudgedRelease(stack, "Release", functions=[released], migrate=migrate)
    migrate.add_environment("API", release.alias(released).function_arn)
    with pytest.raises(RuntimeError, match=r"Sums/Migrate refers to .*, which waits until Sums/Migrate is released"):
        stack.node.root.synth()


def test_an_api_that_tells_its_function_the_url_is_refused(stack):
    api = ProtectedApi(stack, "Api", code="examples/without_cdk/src", handler="app.handler", cache=None)
    api.api.function.add_environment("URL", api.url)
    with pytest.raises(RuntimeError, match=r"refers, by way of .*, to Sums/Api/.*, which waits until"):
        stack.node.root.synth()


def test_what_the_refusal_says_to_write_is_no_circle(stack):
    first, second = function(stack, "A"), function(stack, "B")
    release = JudgedRelease(stack, "Release", functions=[first, second])
    first.add_environment("OTHER", f"{second.function_arn}:live")
    second.grant_invoke(first)
    alarm = cloudwatch.Alarm(
        stack, "Errors", metric=release.alias(first).metric_errors(), threshold=1, evaluation_periods=1
    )
    assert alarm
    assert stack.node.root.synth().get_stack_by_name("Sums")
