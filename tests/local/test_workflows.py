"""GitHub's workflows, ours and those that are copied: pinned, with no right that they don't use, and runnable."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from infra.pipeline import ENVIRONMENTS
from tidegate_local.layout import project_folder
from tidegate_local.new.making import Project, make

PINNED = re.compile(r"[\w.-]+/[\w.-]+(/[\w.-]+)*@[0-9a-f]{40}")
RELEASE = re.compile(r"uses: \S+ # v\d+\.\d+\.\d+$", re.MULTILINE)
TARGET = re.compile(r"\bmake ([a-z-]+)")
DEPLOYMENTS = "examples/github"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A copy of this repository that has the deployments' workflows, too."""
    folder = tmp_path_factory.mktemp("deployed")
    shutil.copytree(project_folder() / ".github", folder / ".github")
    for workflow in (project_folder() / DEPLOYMENTS).glob("*.yml"):
        shutil.copy(workflow, folder / ".github" / "workflows")
    shutil.copy(project_folder() / "Makefile", folder)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects") / "book-shop"
    make(Project("book-shop"), "bare", folder, None, {})
    return folder


@pytest.fixture(params=["deployed", "project"])
def root(request):
    return request.getfixturevalue(request.param)


def workflows(root: Path):
    found = sorted((root / ".github" / "workflows").glob("*.yml"))
    assert found
    return {file.name: yaml.safe_load(file.read_text()) for file in found}


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def triggers(workflow):
    return workflow[True]  # YAML 1.1 takes the key `on` for a truth


def test_every_action_is_pinned_by_the_commit_of_a_release(root):
    for name, workflow in workflows(root).items():
        used = [step["uses"] for step in steps(workflow) if "uses" in step]
        assert used
        assert [action for action in used if not PINNED.fullmatch(action)] == [], name
        text = (root / ".github" / "workflows" / name).read_text()
        assert len(RELEASE.findall(text)) == len(used), f"{name}: say the release behind each commit"


def test_one_action_has_one_commit_everywhere(deployed, project):
    pins = {
        step["uses"].partition("@")[::2]
        for root in (deployed, project)
        for workflow in workflows(root).values()
        for step in steps(workflow)
        if "uses" in step
    }
    assert len(pins) == len({action for action, _ in pins})


def test_every_target_of_make_is_there(root):
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for name, workflow in workflows(root).items():
        wanted = {target for step in steps(workflow) for target in TARGET.findall(step.get("run", ""))}
        assert wanted <= targets, name


def test_no_job_may_do_more_than_read_but_by_its_environment_s_token(root):
    for name, workflow in workflows(root).items():
        assert workflow["permissions"] in ({}, {"contents": "read"}), name
        for job_name, job in workflow["jobs"].items():
            asked = job.get("permissions", workflow["permissions"])
            assert set(asked) <= {"contents", "id-token"}, (name, job_name)
            assert asked["contents"] == "read"
            uses_role = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
            assert (asked.get("id-token") == "write") is uses_role, (name, job_name)
            assert uses_role == ("environment" in job), (name, job_name)
            assert job["timeout-minutes"] <= 120


def test_no_secret_is_stored_and_no_checkout_keeps_its_token(root):
    for name, workflow in workflows(root).items():
        assert "secrets." not in (root / ".github" / "workflows" / name).read_text()
        for step in steps(workflow):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}
        assert "pull_request_target" not in triggers(workflow)


def test_nothing_that_a_person_types_becomes_part_of_a_command(root):
    for workflow in workflows(root).values():
        for step in steps(workflow):
            inserted = re.findall(r"\$\{\{\s*([\w.]+)", step.get("run", ""))
            assert all(name.startswith("matrix.") for name in inserted), step["run"]


def test_our_checks_are_those_of_the_ci_script():
    script = (project_folder() / ".ci" / "run").read_text()
    wanted = {line for line in script.splitlines() if line.startswith("make ")}
    jobs = workflows(project_folder())["ci.yml"]
    assert wanted <= {step.get("run", "") for step in steps(jobs)}
    contexts = jobs["jobs"]["synth"]["strategy"]["matrix"]["variant"]
    for word in ("stage=local", "strategy=linear", "strategy=all-at-once", "rollout=codedeploy", "infra.pipeline"):
        assert any(word in context for context in contexts), word


def test_a_commit_goes_to_production_by_way_of_staging(deployed):
    deploy = workflows(deployed)["deploy.yml"]
    assert triggers(deploy)["push"] == {"branches": ["main"]}
    assert deploy["concurrency"]["cancel-in-progress"] is False
    jobs = deploy["jobs"]
    assert (jobs["staging"]["needs"], jobs["production"]["needs"]) == ("check", "staging")
    for environment in ENVIRONMENTS:
        assert jobs[environment]["environment"] == environment
        runs = " ".join(step.get("run", "") for step in jobs[environment]["steps"])
        assert f"-c env={environment}" in runs
        assert "permissions_boundary=Tidegate-boundary" in runs
    tested = [step.get("run", "") for step in jobs["staging"]["steps"]]
    assert tested.index("make test-deployed OUTPUTS=cdk-outputs.json") == len(tested) - 1


def test_a_person_rolls_back_by_hand_alone(deployed):
    rollback = workflows(deployed)["rollback.yml"]
    assert list(triggers(rollback)) == ["workflow_dispatch"]
    assert triggers(rollback)["workflow_dispatch"]["inputs"]["environment"]["options"] == list(ENVIRONMENTS)
    (job,) = rollback["jobs"].values()
    assert "tidegate rollback --stage" in job["steps"][-1]["run"]
