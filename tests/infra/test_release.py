import json

import pytest

from infra.release import way
from infra.release_machine import definition
from infra.stages import AWS, LOCAL, StageError, select
from infra.strategy import StrategyError, weights
from tests.infra.test_grants import as_list, statements


@pytest.fixture
def resource(synthesized):
    ((_, found),) = synthesized.resources("Custom::TidegateRelease").items()
    return found


def test_both_aliases_wait_for_the_release(synthesized):
    (name,) = synthesized.resources("Custom::TidegateRelease")
    aliases = synthesized.resources("AWS::Lambda::Alias").values()
    assert len(aliases) == 2
    for alias in aliases:
        assert name in as_list(alias["DependsOn"])
        # The template's alias is always whole: the weights are the machine's, and gone when it ends.
        assert "RoutingConfig" not in alias["Properties"]


def test_it_is_told_of_the_published_versions(synthesized, resource):
    versions = [target["Version"]["Fn::GetAtt"] for target in resource["Properties"]["Targets"]]
    assert {name for name, _ in versions} == set(synthesized.resources("AWS::Lambda::Version"))
    assert [target["Serves"] for target in resource["Properties"]["Targets"]] == ["http", "queue"]


def test_cloudformation_waits_longer_than_the_machine_runs(resource):
    machine = definition("rollout", "judge")
    assert machine["TimeoutSeconds"] < int(resource["Properties"]["ServiceTimeout"]) == 3600


@pytest.mark.parametrize("stage", [AWS, LOCAL], ids=lambda stage: stage.name)
def test_all_steps_end_within_the_machine_s_time(stage):
    steps = way(stage)["steps"]
    held = stage.release.hold_s if stage.release.last_unproven == "hold" else 0
    assert sum(most_s for _, _, most_s, _ in steps) + held <= 3540 - 120


def test_every_state_leads_to_the_answer():
    states = definition("rollout", "judge")["States"]
    assert all(follows(state) <= states.keys() for state in states.values())
    assert [name for name, state in states.items() if state.get("End")] == ["Answer"]
    for name in states:
        assert "Answer" in reached(states, name)


# Without the lock there is nothing to take back; after these there is nothing left to. What the machine can't do by
# itself, RollBack does.
WITHOUT_WEIGHTS = dict.fromkeys(("Lock", "RollBack", "Undo", "Contract"), "Answer") | {"Fence": "RollBack"}


def test_every_failure_rolls_back_or_is_answered():
    states = definition("rollout", "judge")["States"]
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task" and name != "Answer"}
    for name, task in tasks.items():
        ((caught),) = task["Catch"]
        assert caught["ErrorEquals"] == ["States.ALL"]
        assert caught["Next"] == (WITHOUT_WEIGHTS.get(name, "Fence"))
        assert caught["ResultPath"] in {"$.error", "$.fenced", "$.updated"}


def test_no_state_says_null_which_cdk_would_leave_out():
    assert "null" not in json.dumps(definition("rollout", "judge", ["an alarm"]))


def test_no_function_is_called_between_a_verdict_and_its_effect():
    states = definition("rollout", "judge")["States"]
    assert states["Judged"]["Choices"][0] == {"Variable": "$.outcome", "StringEquals": "roll_back", "Next": "Fence"}
    fence, unshift = states["Fence"], states["Unshift"]
    (update,) = unshift["ItemProcessor"]["States"].values()
    assert [task["Resource"].split(":::")[1] for task in (fence, update)] == [
        "dynamodb:updateItem",
        "aws-sdk:lambda:updateAlias",
    ]
    assert (fence["Next"], unshift["Catch"][0]["Next"]) == ("Unshift", "RollBack")
    assert update["Parameters"]["RoutingConfig"] == {"AdditionalVersionWeights": {}}


def test_a_migration_that_is_not_through_rests_before_it_goes_on():
    states = definition("rollout", "judge")["States"]
    for name in ("Expand", "Contract", "Undo"):
        rest = states[f"{name}More"]
        assert (rest["Type"], rest["Next"]) == ("Wait", name)
        assert f"{name}More" in follows(states[states[name]["Next"]])


def follows(state):
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    catches = [caught["Next"] for caught in state.get("Catch", [])]
    return {*choices, *catches, *[state[key] for key in ("Next", "Default") if key in state]}


def reached(states, name):
    seen, todo = set(), {name}
    while todo:
        seen |= todo
        todo = set().union(*(follows(states[at]) for at in todo)) - seen
    return seen


def test_only_where_there_is_a_network_the_judge_is_a_function_of_its_own(both):
    names = {name: {f["FunctionName"] for f in s.properties("AWS::Lambda::Function")} for name, s in both.items()}
    assert "Tidegate-aws-judge" in names["aws"]
    assert "VpcConfig" in both["aws"].function("judge")
    assert "VpcConfig" not in both["aws"].function("rollout")
    assert "Tidegate-local-judge" not in names["local"]


def test_the_controller_moves_aliases_and_versions_of_these_functions_alone(synthesized):
    granted = {
        action: as_list(statement["Resource"])
        for statement in statements(synthesized, "ReleaseRolloutRole")
        for action in as_list(statement["Action"])
        if action.startswith("lambda:")
    }
    assert set(granted) == {
        "lambda:DeleteFunction",
        "lambda:GetAlias",
        "lambda:InvokeFunction",
        "lambda:ListAliases",
        "lambda:ListVersionsByFunction",
        "lambda:UpdateAlias",
    }
    functions = ("apiFunction", "workerFunction", "migrate", "Migrate")
    for resources in granted.values():
        assert all(any(name in json.dumps(resource) for name in functions) for resource in resources)


def test_alarms_that_exist_are_a_further_input_on_aws(both):
    machine = json.dumps(both["aws"].only("AWS::StepFunctions::StateMachine")["DefinitionString"])
    watched = [f"Tidegate-aws-{name}" for name in both["aws"].stage.release.alarms]
    made = {alarm["AlarmName"] for alarm in both["aws"].properties("AWS::CloudWatch::Alarm")}
    assert set(watched) <= made
    assert all(name in machine for name in watched)
    assert "describeAlarms" not in json.dumps(both["local"].only("AWS::StepFunctions::StateMachine"))


def test_a_cloudwatch_that_does_not_answer_is_no_verdict():
    states = definition("rollout", "judge", ["Errors"])["States"]
    assert states["Watch"]["Next"] == "Alarms"
    assert follows(states["Alarms"]) == {"Judge"}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("canary", (1, 10, 50)),
        ("all-at-once", ()),
        ("1,10,50", (1, 10, 50)),
        ("5,25,100", (5, 25)),
        ("0.5,50", (0.5, 50)),
        ("100", ()),
    ],
)
def test_a_strategy_is_a_name_or_a_list(strategy, expected):
    assert weights(strategy) == expected


@pytest.mark.parametrize("strategy", ["", "slow", "50,10", "10,10", "0,50", "10,120", "10;50", "nan"])
def test_another_strategy_is_refused(strategy):
    with pytest.raises(StrategyError, match="rising percentages"):
        weights(strategy)


def test_the_strategy_is_the_context_s():
    assert select("aws", None, "linear").release.weights == weights("linear")
    assert select("aws").release.weights == (1, 10, 50)
    with pytest.raises(StageError, match="rising percentages"):
        select("local", None, "sometimes")
