"""docs/night.md, followed as it is written: from every state that it names, what it says to type ends in a working API.

The functions, the aliases, the table and the state machine are an engine's; CloudFormation is a double that can be in
any state, and the deploys are its own.
"""

import contextlib
import json
import re
import shlex
import uuid

import boto3
import pytest
from typer.testing import CliRunner

from functions.rollout.ledger import Ledger
from tests.local.deployed_function import deploy_function
from tests.local.night_page import ALIAS_ROWS, RELEASE_ROWS, STACK_ROWS
from tests.local.stacks_double import ENDS, STACK, Stacks, in_place_of_cloudformation, waiting_for_an_answer
from tidegate_local import cloud
from tidegate_local.cli import commands
from tidegate_local.cli.commands import app
from tidegate_local.errors import DeploymentError, ReleaseError
from tidegate_local.lifecycle import left_undone
from tidegate_local.releases import place_status, stack_recovery, watch
from tidegate_local.releases.deployable import require_deployable
from tidegate_local.releases.place import local_place
from tidegate_local.state import LocalState

API, WORKER, TABLE = f"{STACK}-api", f"{STACK}-worker", "guard"
ILL = "The version in force isn't well: GET /health/ready answers 503."


@pytest.fixture(scope="module")
def engine(running_engine):
    """Two functions with two versions each, a table, and a machine that waits."""
    with contextlib.ExitStack() as opened:
        clients = {
            name: opened.enter_context(contextlib.closing(cloud.client(name, running_engine.url)))
            for name in ("lambda", "dynamodb", "stepfunctions")
        }
        for name in (API, WORKER):
            deploy_function(clients["lambda"], name, "def handler(event, context):\n    return 'well'\n")
            for number in ("1", "2"):
                clients["lambda"].update_function_configuration(FunctionName=name, Description=number)
                clients["lambda"].get_waiter("function_updated_v2").wait(
                    FunctionName=name, WaiterConfig={"Delay": 0.05}
                )
                clients["lambda"].publish_version(FunctionName=name)
        waiting = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
        machine = clients["stepfunctions"].create_state_machine(
            name=f"{STACK}-release", definition=json.dumps(waiting), roleArn="arn:aws:iam::000000000000:role/any"
        )
        clients["dynamodb"].create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        ledger = Ledger(boto3.resource("dynamodb", endpoint_url=running_engine.url).Table(TABLE), "local")
        yield running_engine.url, clients, machine["stateMachineArn"], ledger
        ledger._table.meta.client.close()


class Cloud:
    """A place in a state by force, and somebody who types the page's commands."""

    ill = left = False

    def __init__(self, engine, folder, ways):
        self.url, self.clients, self.machine, self.ledger = engine
        self.ways = ways
        self.nothing_released()
        self.outputs = {
            "FunctionName": API,
            "WorkerName": WORKER,
            "AliasName": "live",
            "TidegateTable": TABLE,
            "ReleaseMachine": self.machine,
            "ApiId": "abc",
        }
        outputs = self.outputs
        self.state = LocalState("http://127.0.0.1:1", self.url, "redis://", "external", {}, {}, outputs, "", "", "")
        self.state.write(folder.state_file)
        self.stacks = Stacks("UPDATE_COMPLETE", self.outputs)
        self.said = ""
        for name in (API, WORKER):
            self.alias(name, "2")
        self.promoted({API: "1", WORKER: "1"}, {API: "2", WORKER: "2"})

    # By force.
    def nothing_released(self):
        self.ledger._table.delete_item(Key={"pk": self.ledger._key})

    def alias(self, function, version, weights=None):
        with contextlib.suppress(self.clients["lambda"].exceptions.ResourceNotFoundException):
            self.clients["lambda"].delete_alias(FunctionName=function, Name="live")
        if version:
            routing = {"RoutingConfig": {"AdditionalVersionWeights": weights}} if weights else {}
            self.clients["lambda"].create_alias(FunctionName=function, Name="live", FunctionVersion=version, **routing)

    def promoted(self, *promotions, state="promoted"):
        for versions in promotions:
            token = self.locked(f"past-{uuid.uuid4()}", versions, {API: "1", WORKER: "1"})
            now = versions if state == "promoted" else None
            self.ledger.end(token, state, "Not ready." if state == "rolled-back" else "Promoted.", now)

    def locked(self, release_id, versions, stable):
        about = {
            "targets": [{"name": name, "version": version, "serves": "http"} for name, version in versions.items()],
            "stable": stable,
            "steps": [10, 50],
            "phase": "locked",
            "go_on": False,
        }
        return self.ledger.lock(release_id, about)

    def releasing(self, phase="watching", answer=None):
        """A release of version 2 at 50 %, with its machine."""
        self.release = f"release-{uuid.uuid4()}"
        for name in (API, WORKER):
            self.alias(name, "1", {"2": 0.5})
        self.token = self.locked(self.release, {API: "2", WORKER: "2"}, {API: "1", WORKER: "1"})
        self.ledger.write(self.token, phase=phase, percent="50", step=1)
        given = json.dumps({"answer": answer or {}})
        self.clients["stepfunctions"].start_execution(stateMachineArn=self.machine, name=self.release, input=given)
        self.stacks.status, self.stacks.waits = "UPDATE_IN_PROGRESS", True

    def dead(self, answer=None):
        self.releasing(answer=answer)
        arn = self.machine.replace(":stateMachine:", ":execution:") + f":{self.release}"
        self.clients["stepfunctions"].stop_execution(executionArn=arn)

    def machine_works(self):
        """What the machine does at its next look: what it was told, else it promotes."""
        known = self.ledger.read()
        if not known or not known.running:
            return
        wishes = known.attributes
        if wishes["phase"] == "holding for a person" and not (wishes.get("abort") or wishes.get("go_on")):
            return
        version, state = ("1", "rolled-back") if wishes.get("abort") else ("2", "promoted")
        for name in (API, WORKER):
            self.alias(name, version)
        said = "Aborted by hand." if state == "rolled-back" else "Promoted."
        self.ledger.end(known.token, state, said, {API: version, WORKER: version})
        self.stacks.answered("FAILED" if state == "rolled-back" else "SUCCESS")

    def deploy(self, _folder, *, steps, way):
        """`bring_up`, as far as CloudFormation and CDK have a say in it."""
        self.ways.append(dict(way or {}))
        clients = {**self.clients, "cloudformation": self.stacks}
        require_deployable(clients.__getitem__, STACK, "local", lambda _: None)
        if self.ill and "into_incident" not in self.ways[-1]:
            raise ReleaseError(f"Rolled back. {ILL}")
        self.stacks.deploy()

        if self.left:
            self.releasing()
            raise KeyboardInterrupt

    def types(self, command):
        done = CliRunner().invoke(app, shlex.split(command))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        self.said = done.output
        self.machine_works()
        return done.exit_code


@pytest.fixture
def night(engine, folder, monkeypatch):
    """`night()` is the cloud; its commands are at work on it."""
    ways = []
    here = Cloud(engine, folder, ways)
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    monkeypatch.setattr(commands, "bring_up", here.deploy)
    for module in (stack_recovery, watch):
        monkeypatch.setattr(module, "_LOOK_EVERY_S", 0)
    monkeypatch.setattr(watch.interruption, "check", here.machine_works)
    return here


def follows(night, monkeypatch, typed):
    """Type the page's commands one after the other; NAME is what was said before to be in the way."""
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
        for command in typed:
            named = re.findall(r"--skip \w+", night.said)
            if "NAME" not in command:
                night.types(command)
            elif named:  # something stayed in the way, and each of it is named
                night.types(command.replace("--skip NAME", " ".join(dict.fromkeys(named))))


def works(night, monkeypatch):
    """The stack takes deploys, the aliases serve one version each, no release is left half-way, the API answers."""
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients), local_place(night.state) as place:
        parts = list(place_status.parts_of(place))
        assert len(parts) == 4
        assert all(part.well for part in parts), parts
        require_deployable(place.client, STACK, "local", lambda _: None)
    for name in (API, WORKER):
        told = night.clients["lambda"].invoke(FunctionName=name, Qualifier="live")
        assert json.loads(told["Payload"].read()) == "well"


def sees(night, monkeypatch, words):
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
        night.types("status")
    assert words in " ".join(night.said.split()), night.said


def test_the_page_has_every_status_of_cloudformations():
    client = boto3.client("cloudformation")
    known = client.meta.service_model.shape_for("Stack").members["StackStatus"].enum
    client.close()
    assert sorted(STACK_ROWS) == sorted(known)


STUCK = ["UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"]
HALF_MADE = ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"]


@pytest.mark.parametrize(
    ("status", "sort"),
    [
        *((status, "plain") for status in sorted(STACK_ROWS)),
        *((status, "stuck") for status in STUCK),
        *((status, "protected") for status in HALF_MADE),
    ],
)
def test_out_of_every_state_of_a_stack_the_page_leads(night, monkeypatch, status, sort):
    stuck = {"Live", "Queue"} if sort == "stuck" else ()
    night.stacks = Stacks(status, night.outputs, protected=sort == "protected", stuck=stuck)
    if status != "DELETE_COMPLETE" and status not in ENDS:
        sees(night, monkeypatch, status)
    follows(night, monkeypatch, STACK_ROWS[status])
    if night.stacks.status in {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}:  # it was watched, and goes on in another row
        follows(night, monkeypatch, STACK_ROWS[night.stacks.status])
    works(night, monkeypatch)
    assert night.stacks.stuck == set()


PHASES = {
    "`holding for a person`": "holding for a person",
    "`watching: Stable itself fails …`": "watching: Stable itself fails 50% of its requests",
}


def of_release(night, state):
    """Reach it by force."""
    if state == "`none yet`":
        night.nothing_released()
    elif state == "`rolled back`":
        night.promoted({API: "2", WORKER: "2"}, state="rolled-back")
    elif state in {"`watching`", "`Another release is under way`"}:
        night.releasing()
    elif state == "the command is gone":
        night.left = True
    elif state in PHASES:
        night.releasing(PHASES[state])
    elif state == "`The version in force isn't well`":
        night.ill = True
    elif state != "`promoted`":
        pytest.fail(f"the page has a state of the release that nobody reaches: {state}")


# One or the other is typed; and a death has a test of its own.
EITHER = {"`watching`", "`holding for a person`"}
RELEASES = [
    *((state, typed) for state, typed in RELEASE_ROWS.items() if state not in EITHER | {"`its machine died`"}),
    *((state, [command]) for state in sorted(EITHER) for command in RELEASE_ROWS[state]),
]


@pytest.mark.parametrize(("state", "typed"), RELEASES)
def test_out_of_every_state_of_a_release_the_page_leads(night, monkeypatch, state, typed):
    of_release(night, state)
    words = state.strip("`")
    if words in {"Another release is under way", "The version in force isn't well"}:
        with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
            assert night.types("release") == 1
        assert words in night.said
        if night.ill:
            night.stacks.status = "UPDATE_ROLLBACK_COMPLETE"
        else:
            night.releasing()  # the second one's command has ended, and the first release is at work still
    elif night.left:
        with (
            in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients),
            monkeypatch.context() as patched,
        ):
            patched.setattr(night, "machine_works", lambda: None)
            assert night.types("release") == 130
        assert "goes on without this command" in night.said
        assert "`tidegate release --watch`" in night.said
    elif state.startswith("`"):
        with monkeypatch.context() as patched:
            patched.setattr(night, "machine_works", lambda: None)
            sees(night, monkeypatch, words.removesuffix(" …"))
    follows(night, monkeypatch, typed)
    works(night, monkeypatch)
    if night.ill:
        assert night.ways[-1] == {"into_incident": "orders fail since 2:10"}


def test_out_of_a_machine_s_death_the_page_leads(night, monkeypatch):
    with waiting_for_an_answer(lambda: night.stacks) as (url, answers):
        machine_dies(night, monkeypatch, url, answers)


def machine_dies(night, monkeypatch, url, answers):
    ids = {name: name for name in ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")}
    night.dead({"ResponseURL": url, **ids})
    monkeypatch.setattr(watch.interruption, "check", lambda: None)
    monkeypatch.setattr(night, "machine_works", lambda: None)
    sees(night, monkeypatch, "its machine died")
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
        for command in ("release", "release --watch"):  # neither waits for what nobody goes on with
            assert night.types(command) == 1
            assert "`tidegate release --recover`" in night.said
    follows(night, monkeypatch, RELEASE_ROWS["`its machine died`"])
    (answer,) = answers
    assert answer == {"Status": "FAILED", "Reason": answer["Reason"], **ids}
    assert "ABORTED" in answer["Reason"]
    works(night, monkeypatch)
    assert night.ledger.read().attributes["doing"] == "rolled-back"
    history = night.ledger.history()
    assert history.given_up({API: "2", WORKER: "2"})
    assert history.in_force == {API: "1", WORKER: "1"}


def of_alias(night, state):
    if state == "`is gone`":
        night.alias(API, None)
        night.alias(WORKER, None)
    elif state == "`$LATEST`":
        night.alias(API, "$LATEST")
    elif state == "two versions, and no release runs":
        night.alias(WORKER, "2", {"1": 0.25})
    elif state == "`api` and `worker` of two releases":
        night.alias(WORKER, "1")
    elif state.startswith("one version, and it is well"):
        night.alias(API, "1")
    elif not state.startswith("one version, and it is ill"):
        pytest.fail(f"the page has a state of an alias that nobody reaches: {state}")


@pytest.mark.parametrize(("state", "typed"), ALIAS_ROWS.items())
def test_out_of_every_state_of_an_alias_the_page_leads(night, monkeypatch, state, typed):
    of_alias(night, state)
    if state.startswith("`") and " " not in state.strip("`"):
        sees(night, monkeypatch, state.strip("`"))
    follows(night, monkeypatch, typed)
    works(night, monkeypatch)
    if typed and typed[0].startswith("rollback"):
        for name in (API, WORKER):
            assert night.clients["lambda"].get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"


def left(night, monkeypatch, said):
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
        left_undone.look(night.state, said.append)


def test_up_names_an_alias_that_is_gone_instead_of_waiting(night, monkeypatch):
    night.alias(API, None)
    with pytest.raises(DeploymentError, match=rf"The alias {API}:live is gone.* `tidegate release --recover`"):
        left(night, monkeypatch, [])


def test_up_tells_of_weights_that_no_release_cares_for(night, monkeypatch):
    said = []
    left(night, monkeypatch, said)
    assert said == []
    night.alias(WORKER, "2", {"1": 0.25})
    left(night, monkeypatch, said)
    assert said == [f"{WORKER}:live: version 2 (75%), version 1 (25%). Next: `tidegate release --recover`"]


def test_what_was_put_in_force_by_hand_comes_back(night, monkeypatch):
    follows(night, monkeypatch, ["rollback 1"])
    night.alias(API, None)
    follows(night, monkeypatch, ["release --recover"])
    assert night.clients["lambda"].get_alias(FunctionName=API, Name="live")["FunctionVersion"] == "1"


def test_a_protected_stack_that_serves_is_never_unprotected(night, monkeypatch):
    night.stacks = Stacks("UPDATE_ROLLBACK_FAILED", night.outputs, protected=True)
    follows(night, monkeypatch, STACK_ROWS["UPDATE_ROLLBACK_FAILED"])
    assert night.stacks.protected


def test_recovery_leaves_a_release_that_is_at_work_alone(night, monkeypatch):
    night.releasing()
    monkeypatch.setattr(night, "machine_works", lambda: None)
    with in_place_of_cloudformation(monkeypatch, cloud, night.stacks, night.clients):
        assert night.types("release --recover") == 1
    assert "Another release is under way" in night.said
    assert night.ledger.read().running
