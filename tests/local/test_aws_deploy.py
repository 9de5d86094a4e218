"""A deploy to AWS: the preflight stands before it, and what has never been whole is not protected."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tidegate_local.cli import commands
from tidegate_local.deployment import aws_deploy
from tidegate_local.doctor.finding import failure, ok, warning
from tidegate_local.doctor.template_facts import TemplateFacts
from tidegate_local.errors import DeploymentError
from tidegate_local.releases.stage_names import context_in, context_of, stage_of

WORDS = ["deploy", "-c", "stage=aws", "--profile", "shop"]


class Cloud:
    """An account with one stack's status, and what was run against it."""

    def __init__(self, monkeypatch, status, findings):
        self.ran, self.contexts, self.profiles = [], [], []
        stack = None if status is None else {"StackStatus": status}
        monkeypatch.setattr(aws_deploy, "described", lambda *_: stack)
        monkeypatch.setattr(aws_deploy, "session", self._session)
        monkeypatch.setattr(aws_deploy, "synthesized", self._synthesized)
        monkeypatch.setattr(aws_deploy.preflight, "findings", lambda *_: iter(findings))

    def _session(self, profile, region):
        self.profiles.append(profile)
        return region or "eu-central-1", lambda service: service

    @contextmanager
    def _synthesized(self, tools, context):
        self.contexts.append(dict(context))
        yield SimpleNamespace(folder=Path("/assembly"), facts=TemplateFacts("Tidegate-aws", {}, 0))

    def run_cdk(self, words):
        self.ran.append(list(words))
        return 0


@pytest.fixture
def cloud(monkeypatch):
    return lambda status, *findings: Cloud(monkeypatch, status, findings)


def test_a_finding_that_fails_is_the_end(cloud):
    account = cloud("UPDATE_COMPLETE", ok("zones", "3"), failure("bootstrap", "none", "`tidegate cdk bootstrap`"))
    with pytest.raises(DeploymentError, match=r"bootstrap: none\. `tidegate cdk bootstrap`") as raised:
        aws_deploy.deploy(account, WORDS, Console())
    assert "tidegate doctor --stage aws" in str(raised.value)
    assert account.ran == []


def test_what_was_looked_at_is_what_is_deployed(cloud):
    account = cloud("UPDATE_COMPLETE", warning("VPCs", "can't be asked", "Let it."))
    assert aws_deploy.deploy(account, WORDS, Console()) == 0
    assert account.ran == [[*WORDS, "--app", "/assembly"]]
    assert account.profiles == ["shop"]


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_stack_that_was_never_whole_is_not_protected(cloud, status):
    account = cloud(status)
    aws_deploy.deploy(account, WORDS, Console())
    assert account.contexts == [{"stage": "aws", "first_deploy": "true"}]


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_the_second_deploy_protects_it(cloud, status):
    account = cloud(status)
    aws_deploy.deploy(account, WORDS, Console())
    assert account.contexts == [{"stage": "aws"}]


def test_a_release_is_deployed_the_same_way(cloud):
    account = cloud("UPDATE_COMPLETE")
    aws_deploy.release(account, "aws-staging", {"strategy": "linear"}, Console())
    assert account.contexts == [{"stage": "aws", "env": "staging", "strategy": "linear"}]
    assert account.ran[0][:6] == ["deploy", "--all", "-c", "stage=aws", "-c", "env=staging"]


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (WORDS, True),
        (["deploy", "--context=stage=aws"], True),
        (["deploy"], False),
        (["deploy", "-c", "stage=local"], False),
        (["deploy", "-c", "stage=aws", "--app", "elsewhere"], False),
        (["deploy", "-c", "stage=aws", "--app=elsewhere"], False),
        (["deploy", "-c", "stage=aws", "--help"], False),
        (["synth", "-c", "stage=aws"], False),
        ([], False),
    ],
)
def test_only_a_deploy_of_this_app_to_aws_has_a_preflight(words, ours):
    assert aws_deploy.is_of_aws(words) is ours


def test_the_command_runs_it(cloud, monkeypatch):
    account = cloud("UPDATE_COMPLETE", failure("VPCs", "5 of 5", "Delete one."))
    monkeypatch.setattr(commands.toolchain, "ensure", lambda: account)
    result = CliRunner().invoke(commands.app, ["cdk", *WORDS])
    assert result.exit_code == 1
    assert "VPCs: 5 of 5. Delete one." in result.stderr
    assert account.ran == []


def test_the_doctor_shows_the_account_of_a_stage(cloud, monkeypatch):
    account = cloud("UPDATE_COMPLETE", failure("VPCs", "5 of 5", "Delete one."))
    monkeypatch.setattr("tidegate_local.doctor.command.toolchain.ensure", lambda: account)
    result = CliRunner().invoke(
        commands.app, ["doctor", "--stage", "aws-staging", "-c", "reserved_concurrency=50", "--json"]
    )
    assert result.exit_code == 1
    assert account.contexts == [{"stage": "aws", "env": "staging", "reserved_concurrency": "50"}]
    assert '"5 of 5"' in result.stdout


def test_a_stage_s_name_and_its_context_are_one():
    assert context_of("aws-staging") == {"stage": "aws", "env": "staging"}
    assert stage_of({"stage": "aws", "env": "staging"}) == "aws-staging"
    assert stage_of(context_of("aws")) == "aws"
    words = ["deploy", "-c", "stage=aws", "--context", "env=a", "--context=budget=5", "--profile", "x=y", "-cregion=eu"]
    assert context_in(words) == {"stage": "aws", "env": "a", "budget": "5", "region": "eu"}
