"""Releases under traffic: a bad one is stopped and rolled back, and the next good one goes through unnoticed."""

from __future__ import annotations

import json
import re

import pytest

from examples.shop.changes import CHECKOUT, FAILING_ORDERS
from tests.harness.release_traffic import traffic
from tests.model.release_programs import inside
from tests.model.release_traces import first_refused, history, plan
from tidegate_local.scenarios.clone import Clone

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def aliases(cloud):
    """What both aliases say: the version and the weights."""
    outputs = cloud.state["outputs"]

    def read():
        with cloud.aws("lambda") as client:
            found = [client.get_alias(FunctionName=outputs[f], Name="live") for f in ("FunctionName", "WorkerName")]
        weights = [(alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {} for alias in found]
        return [alias["FunctionVersion"] for alias in found], weights

    return read


@pytest.fixture
def template_version(cloud):
    """The version that the stack's own resource is."""

    def read():
        with cloud.aws("cloudformation") as client:
            stack = client.describe_stacks(StackName="Tidegate-local")["Stacks"][0]
            found = client.describe_stack_resources(StackName="Tidegate-local")["StackResources"]
        name = cloud.state["outputs"]["FunctionName"]
        (version,) = [
            resource["PhysicalResourceId"].rsplit(":", 1)[-1]
            for resource in found
            if resource["ResourceType"] == "AWS::Lambda::Version" and f":{name}:" in resource["PhysicalResourceId"]
            # LocalStack goes on listing what a template retained when it left it.
            if resource["ResourceStatus"] != "DELETE_SKIPPED"
        ]
        return stack["StackStatus"], version

    return read


@pytest.fixture
def executions(cloud):
    """The histories of the releases' machine, by execution; none where CloudFormation doesn't wait for a release."""

    def read():
        with cloud.aws("stepfunctions") as client:
            machines = [machine["stateMachineArn"] for machine in client.list_state_machines()["stateMachines"]]
            [machine] = [arn for arn in machines if arn.endswith("Tidegate-local-release")]
            found = client.list_executions(stateMachineArn=machine)["executions"]
            return {
                one["executionArn"]: client.get_execution_history(executionArn=one["executionArn"])["events"]
                for one in found
            }

    return read if cloud.state["software"] == "ministack" else dict


@pytest.fixture
def clone(tmp_path, cloud):
    return Clone.at(tmp_path / "clone", cloud.environ)


def test_a_bad_release_is_rolled_back_and_the_next_good_one_goes_through(
    cloud, clone, aliases, template_version, executions
):
    cloud.warm()
    before, earlier = aliases(), executions()
    clone.append(CHECKOUT, FAILING_ORDERS.format(share=1))
    with traffic(cloud.state, orders=0.5) as bad:
        status, printed = clone.tidegate("release", "--strategy", "50", "--step-s", "60")
    assert status == 1, printed
    assert "Rolled back. At " in printed, printed
    # Either limit of the judge's may be crossed first, as the requests fall: that beside stable, or that of ever.
    assert re.search(r"errors\b.* are worse than tolerated|the canary failed \d+ of \d+ requests", printed), printed
    assert aliases() == before
    assert before[1] == [{}, {}]
    # Where CloudFormation doesn't wait for a release it can't roll back: the former template is deployed again.
    back = "UPDATE_ROLLBACK_COMPLETE" if cloud.state["software"] == "ministack" else "UPDATE_COMPLETE"
    assert template_version() == (back, before[0][0])
    # The new version had served: its orders failed, and nothing else did.
    assert bad.failed
    assert {answer.path for answer in bad.failed} == {"/v1/orders"}

    clone.restore()
    clone.append(CHECKOUT, "# a good release")
    with traffic(cloud.state, per_s=12) as good:
        status, printed = clone.tidegate("release")
    assert status == 0, printed
    assert "(step 1/2, canary 10 %)" in printed, printed
    assert not good.failed
    assert len(good.versions()) == 2, good.versions()
    now, weights = aliases()
    assert int(now[0]) > int(before[0][0])
    assert weights == [{}, {}]
    assert template_version() == ("UPDATE_COMPLETE", now[0])
    # What the machines did, the model of releases does, too.
    with inside():
        for name, events in executions().items():
            if name in earlier:
                continue
            asked = json.loads(events[0]["executionStartedEventDetails"]["input"])
            assert first_refused(history(events), plan(asked)) is None, name
