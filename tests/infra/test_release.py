import json
from dataclasses import replace

import pytest

from functions.rollout.order import Check, plan_of
from infra.stages import AWS, LOCAL, select
from tests.infra.conftest import ROOT, synthesize
from tests.infra.test_grants import as_list, statements
from tidegate_build.assets import Workspace
from tidegate_cdk.release_machine import definition
from tidegate_cdk.release_time import longest_s
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.strategy import StrategyError, weights
from tidegate_cdk.way import way
from tidegate_local.project_facts import ProjectFacts


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


def test_it_waits_for_all_that_it_needs_and_does_not_refer_to(both):
    (release,) = both["aws"].resources("Custom::TidegateRelease").values()
    network = ("AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
    needed = [name for kind in network for name in both["aws"].resources(kind)]
    assert len(needed) >= 5
    for function in ("api", "worker", "migrate", "rollout", "judge"):
        role = both["aws"].function(function)["Role"]["Fn::GetAtt"][0]
        policies = both["aws"].resources("AWS::IAM::Policy").items()
        needed += [name for name, policy in policies if {"Ref": role} in policy["Properties"]["Roles"]]
    assert set(needed) <= set(release["DependsOn"])


def waited_s(retrier):
    """For how many seconds a retrier waits in all."""
    most_s = retrier.get("MaxDelaySeconds", 1e9)
    return sum(
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, most_s) for n in range(retrier["MaxAttempts"])
    )


def test_a_role_that_is_new_may_take_two_minutes_to_hold():
    for name, state in definition("rollout", "judge")["States"].items():
        if state.get("Catch", [{}])[0].get("Next") in {"Fence", "Answer"} and name not in {"RollBack", "Undo"}:
            (denied,) = [r for r in state.get("Retry", ()) if "DeniedError" in r["ErrorEquals"]] or [None]
            assert denied is None or waited_s(denied) > 100, name
            assert denied or not state["Resource"].startswith("rollout"), name


def test_an_answer_is_tried_until_somebody_takes_it():
    answer = definition("rollout", "judge")["States"]["Answer"]
    assert waited_s(answer["Retry"][-1]) > 300
    assert answer["Retry"][-1]["ErrorEquals"] == ["States.ALL"]


def test_it_is_told_of_the_published_versions(synthesized, resource):
    versions = [target["Version"]["Fn::GetAtt"] for target in resource["Properties"]["Targets"]]
    assert {name for name, _ in versions} == set(synthesized.resources("AWS::Lambda::Version"))
    assert [target["Serves"] for target in resource["Properties"]["Targets"]] == ["http", "queue"]


def test_it_asks_what_the_project_s_facts_say(resource):
    facts = ProjectFacts.read()
    (api, worker) = resource["Properties"]["Targets"]
    asked = [Check.of(one) for one in json.loads(api["Smoke"])]
    assert asked == [Check(one.path, None, one.status) for one in facts.smoke]
    assert (asked[0].path, asked[0].status) == (facts.readiness, 200)
    assert "Smoke" not in worker


def test_cloudformation_waits_longer_than_the_machine_runs(resource):
    machine = definition("rollout", "judge")
    assert machine["TimeoutSeconds"] < int(resource["Properties"]["ServiceTimeout"]) == 3600


@pytest.mark.parametrize("stage", [AWS, LOCAL], ids=lambda stage: stage.name)
def test_all_steps_end_within_the_machine_s_time(stage):
    told = way(stage.release)
    steps = told["steps"]
    held = stage.release.hold_s if stage.release.last_unproven == "hold" else 0
    longest = sum(most_s for _, _, most_s, _ in steps) + held
    assert longest == longest_s(stage.release) <= told["machine_s"] - told["back_s"] - 240
    assert told["machine_s"] == definition("rollout", "judge")["TimeoutSeconds"]


@pytest.mark.parametrize(
    ("context", "mend"),
    [
        ({"strategy": "linear"}, "give -c step_s=240 or less, or fewer steps"),
        ({"strategy": "2,5,10,20,50"}, "give -c step_s=400 or less"),
        ({"step_s": "1200"}, "give -c step_s=600 or less"),
        ({"strategy": ",".join(map(str, range(1, 100)))}, "give -c step_s=24 or less"),
    ],
)
def test_a_release_that_cannot_end_in_time_is_refused(context, mend):
    with pytest.raises(SettingError, match=f"stage aws: the steps .* {mend}"):
        select("aws", **context)
    fits = mend.split("=")[1].split()[0]
    assert select("aws", **{**context, "step_s": fits}).release.most_s == int(fits)
    with pytest.raises(SettingError, match="may last"):
        select("aws", **{**context, "step_s": str(int(fits) + 1)})


def test_what_codedeploy_does_is_bound_by_nobody_s_hour():
    assert select("aws", strategy="linear", rollout="codedeploy").release.by == "codedeploy"


BAKE_S = AWS.release.bake_s


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"unproven": "wait"}, 2 * 240 + 1200 + 600 + BAKE_S),
        ({"last_unproven": "top_up"}, 240 + 1200 + 10 * 30 + BAKE_S),
        ({"unproven": "hold"}, 2 * (120 + 600) + 1200 + 600 + BAKE_S),
        ({"weights": ()}, 0),
    ],
)
def test_what_is_done_without_proof_takes_its_time_too(settings, seconds):
    assert longest_s(replace(AWS.release, **settings)) == seconds


def test_settings_of_a_stage_that_take_too_long_are_refused():
    with pytest.raises(SettingError, match="have fewer steps, or hold for less"):
        replace(AWS, release=replace(AWS.release, hold_s=3600))


def test_a_release_into_an_incident_says_why(tmp_path):
    stage = select("local", into_incident=" version 6\n loses orders ")
    synthesized = synthesize(stage, tmp_path, Workspace.at(ROOT))
    (resource,) = synthesized.properties("Custom::TidegateRelease")
    assert resource["IntoIncident"] == "version 6 loses orders"


@pytest.mark.parametrize("reason", ["   ", "...", "x" * 501])
def test_a_reason_that_says_nothing_is_refused(reason):
    with pytest.raises(SettingError, match="it takes the reason in words"):
        select("local", into_incident=reason)


def test_without_one_nothing_is_said(resource):
    assert "IntoIncident" not in resource["Properties"]


def test_a_release_bakes_for_its_time_with_the_way_back_open():
    *_, last, bake = way(AWS.release)["steps"]
    assert last[3] == "hold"
    assert bake == [75, AWS.release.bake_s, AWS.release.bake_s, "advance"]
    # Whatever the traffic is, what begins in the first 15 minutes is seen for two more.
    assert sum(least_s for _, least_s, _, _ in way(AWS.release)["steps"]) >= 900 + 120
    assert way(select("aws", strategy="linear", step_s="200").release)["steps"][-1][0] == 90
    assert way(select("aws", strategy="all-at-once").release)["steps"] == []


def test_the_judge_reads_its_plan_as_the_stage_has_it():
    plan = plan_of(way(AWS.release))
    assert (plan.settle_s, plan.stretch_s) == (AWS.release.settle_s, AWS.release.stretch_s)


def test_every_state_leads_to_the_answer():
    states = definition("rollout", "judge")["States"]
    assert all(follows(state) <= states.keys() for state in states.values())
    assert [name for name, state in states.items() if state.get("End") or state["Type"] == "Succeed"] == ["Done"]
    after = {"Answered", "Contract", "Contracted", "ContractMore", "Prune", "Done"}
    for name in states:
        assert ("Answer" in reached(states, name)) is (name not in after)
    # What comes after the answer can't go back to what comes before it.
    assert reached(states, "Answered") <= after


def test_nothing_is_done_before_the_versions_in_force_were_asked():
    plain, watched = (definition("rollout", "judge", alarms)["States"] for alarms in ((), ["Errors"]))
    assert follows(plain["Locked"]) == {"Answer", "Before"}
    assert follows(watched["Locked"]) == {"Answer", "AlarmsBefore"}
    assert follows(watched["AlarmsBefore"]) == {"Before"}
    assert follows(plain["Begun"]) == {"Fence", "Expand"}


def test_the_way_back_ends_in_time_whatever_hangs():
    machine = definition("rollout", "judge", ["Errors"])
    states, back_s = machine["States"], way(AWS.release)["back_s"]
    forward = max(state.get("TimeoutSeconds", 0) for name, state in states.items() if name not in {"RollBack", "Undo"})
    hangs = {name: state["TimeoutSeconds"] for name, state in states.items() if "TimeoutSeconds" in state}
    # The last forward state begins just in time and hangs; so does what takes the weight away.
    assert forward + hangs["Fence"] + hangs["RollBack"] + hangs["Answer"] <= back_s
    timed_out = {"States.Timeout", "Sandbox.Timedout"}
    for name, state in states.items():
        if "Retry" in state:
            first = state["Retry"][0]
            assert set(first["ErrorEquals"]) == timed_out
            assert first["MaxAttempts"] == (1 if name in {"RollBack", "Undo", "Answer"} else 0)


# Without the lock there is nothing to take back; after these there is nothing left to. What the machine can't do by
# itself, RollBack does.
WITHOUT_WEIGHTS = dict.fromkeys(("Lock", "RollBack", "Undo"), "Answer") | {"Fence": "RollBack"}
# After the answer nothing is taken back.
WITHOUT_WEIGHTS |= {"Contract": "Prune", "Prune": "Done"}


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


@pytest.mark.parametrize("name", ["rollout", "judge"])
def test_the_controller_runs_on_nothing_that_it_releases(both, name):
    stages = both.values() if name == "rollout" else [both["aws"]]
    for synthesized in stages:
        assert "Layers" not in synthesized.function(name)
        assert synthesized.function(name)["Code"] != synthesized.function()["Code"]


def test_only_where_there_is_a_network_the_judge_is_a_function_of_its_own(both):
    names = {name: {f["FunctionName"] for f in s.properties("AWS::Lambda::Function")} for name, s in both.items()}
    assert "Tidegate-aws-judge" in names["aws"]
    assert "VpcConfig" in both["aws"].function("judge")
    assert "VpcConfig" not in both["aws"].function("rollout")
    assert "Tidegate-local-judge" not in names["local"]


def test_the_controller_moves_aliases_of_these_functions_alone(synthesized):
    granted = {
        action: as_list(statement["Resource"])
        for statement in statements(synthesized, "ReleaseRolloutRole")
        for action in as_list(statement["Action"])
        if action.startswith("lambda:")
    }
    assert set(granted) == {
        "lambda:CreateAlias",
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
    assert select("aws", None, "linear", 60).release.weights == weights("linear")
    assert select("aws").release.weights == (1, 10, 50)
    with pytest.raises(SettingError, match="rising percentages"):
        select("local", None, "sometimes")
