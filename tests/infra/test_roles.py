"""The written roles, by which every test's calls are evaluated, are those of the template; the machine's are enough."""

from __future__ import annotations

import json

import pytest

from tests.harness.iam.policy import Call, as_list, evaluate
from tests.harness.iam.stage_roles import DEPLOYMENTS, read, written
from tests.harness.iam.template import Resolver
from tests.harness.iam.unneeded import unexplained

from .test_codedeploy import deployed  # noqa: F401  # a fixture

ANEW = "python -m tests.harness.iam.stage_roles writes them anew"


@pytest.fixture(scope="module")
def stage(both):
    return read(both["aws"].document)


@pytest.fixture(scope="module")
def machine(both):
    """The calls that the machine itself makes, by the states that make them."""
    (resource,) = both["aws"].resources("AWS::StepFunctions::StateMachine").values()
    resolve = Resolver(both["aws"].document["Resources"])
    definition = json.loads(resolve(resource["Properties"]["DefinitionString"]))
    places, calls = written().places, {}
    for name, state in definition["States"].items():
        inner = state.get("ItemProcessor", {}).get("States", {}).values()
        for task in [of for of in [state, *inner] if of["Type"] == "Task"]:
            asked = task["Resource"]
            if asked.startswith("arn:aws:lambda:"):
                calls[name] = [Call("lambda:InvokeFunction", asked)]
            elif asked.endswith(":dynamodb:updateItem"):
                calls[name] = [Call("dynamodb:UpdateItem", places["library"])]
            elif asked.endswith(":lambda:updateAlias"):
                calls[name] = [Call("lambda:UpdateAlias", places[of]) for of in ("api", "worker")]
            elif asked.endswith(":cloudwatch:describeAlarms"):
                arn = places["api"].split(":function:")[0].replace(":lambda:", ":cloudwatch:")
                calls[name] = [
                    Call("cloudwatch:DescribeAlarms", f"{arn}:alarm:{alarm}")
                    for alarm in task["Parameters"]["AlarmNames"]
                ]
            else:
                raise AssertionError(f"{name} calls {asked}: say here what that takes")
    return calls


def test_the_written_roles_are_the_template_s(stage):
    found, kept = (json.loads(of.dumps()) for of in (stage, written()))
    hook = kept["roles"].pop("hook")
    assert hook["function"].endswith("-hook")
    kept["places"] = {name: arn for name, arn in kept["places"].items() if not name.startswith(DEPLOYMENTS)}
    assert found == kept, ANEW


def test_the_written_hook_is_that_of_codedeploy(both, deployed):  # noqa: F811  # the fixture
    whole = read(both["aws"].document, deployed.document)
    assert json.loads(whole.dumps()) == json.loads(written().dumps()), ANEW


def test_the_machine_may_make_its_own_calls(stage, machine):
    role = stage.roles["machine"]
    for name, calls in machine.items():
        for call in calls:
            assert evaluate(role.statements, call).allowed, (name, call)


def test_the_machine_may_do_nothing_else(stage, machine):
    needed = {(call.action, call.resource) for calls in machine.values() for call in calls}
    # An alias belongs to its function, and AWS has named either as what UpdateAlias is on.
    needed |= {(action, f"{arn}:live") for action, arn in needed if action == "lambda:UpdateAlias"}
    granted = {
        (action, resource)
        for statement in stage.roles["machine"].statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }
    assert granted == needed


@pytest.mark.parametrize("name", ["api", "worker", "judge"])
def test_who_is_told_of_the_cache_may_connect_as_it_is_told(both, stage, name):
    variables = both["aws"].function(name)["Environment"]["Variables"]
    account = stage.roles[name].function.split(":function:")[0].replace(":lambda:", ":elasticache:")
    cache = f"{account}:serverlesscache:{variables['TIDEGATE_REDIS_IAM_CACHE']}"
    user = f"{account}:user:{variables['TIDEGATE_REDIS_IAM_USER']}"
    for resource in (cache, user):
        assert evaluate(stage.roles[name].statements, Call("elasticache:Connect", resource)).allowed, resource
        other = Call("elasticache:Connect", f"{resource}-of-another-stage")
        assert not evaluate(stage.roles[name].statements, other).allowed


def test_every_explained_grant_is_granted():
    assert not [sentence for sentence in unexplained(written(), ()) if "which nothing grants" in sentence]
