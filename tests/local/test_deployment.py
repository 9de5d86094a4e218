import contextlib
import json
import shutil
import sys

import pytest

from tidegate_local import cloud, toolchain
from tidegate_local.deployment import deployer as deployment
from tidegate_local.deployment import fingerprint, room
from tidegate_local.deployment.deployer import Deployer
from tidegate_local.errors import DeploymentError, ToolMissingError
from tidegate_local.layout import CDK_CLI_PROJECT, project_folder
from tidegate_local.toolchain import Toolchain

CONTEXT = {"stage": "local", "redis_url": "redis://127.0.0.1:6379/0"}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A repository of nothing but sources."""
    root = tmp_path / "repository"
    (root / "infra" / "__pycache__").mkdir(parents=True)
    (root / "functions").mkdir()
    (root / "layers").mkdir()
    for name in ("app.py", "cdk.json", "pyproject.toml", "uv.lock", "infra/stack.py"):
        (root / name).write_text(name)
    project = root / "localstack" / "cdk-cli"
    shutil.copytree(CDK_CLI_PROJECT, project)
    monkeypatch.setattr(fingerprint, "project_folder", lambda: root)
    monkeypatch.setattr(fingerprint, "CDK_CLI_PROJECT", project)
    return root


def of(context=None, endpoint="http://127.0.0.1:4566"):
    return fingerprint.of_deployment(endpoint, context or CONTEXT)


@pytest.mark.parametrize("name", ["app.py", "infra/stack.py", "uv.lock", "localstack/cdk-cli/package-lock.json"])
def test_every_source_counts(sources, name):
    before = of()
    (sources / name).write_text("changed")
    assert of() != before


def test_a_new_file_and_a_new_name_count(sources):
    before = of()
    (sources / "functions" / "new.py").touch()
    added = of()
    (sources / "functions" / "new.py").rename(sources / "functions" / "newer.py")
    assert len({before, added, of()}) == 3


def test_the_context_and_the_endpoint_count(sources):
    assert len({of(), of(CONTEXT | {"redis_url": "redis://127.0.0.1:6380/0"}), of(endpoint="http://[::1]:1")}) == 3


def test_what_python_leaves_behind_does_not(sources):
    before = of()
    (sources / "infra" / "__pycache__" / "stack.cpython-313.pyc").touch()
    assert of() == before


def test_a_missing_source_is_as_good_as_none(sources):
    (sources / "cdk.json").unlink()
    assert of()


@pytest.fixture
def deployer(folder, running_engine, tmp_path):
    """A deployer whose CDK notes what it was told: words, folder and environment."""
    cdk = tmp_path / "cdk"
    cdk.write_text(
        "import json, os, sys\n"
        f"json.dump([sys.argv[1:], os.getcwd(), dict(os.environ)], open({str(tmp_path / 'told')!r}, 'w'))\n"
        "print('the last words')\n"
        f"sys.exit(os.path.exists({str(tmp_path / 'fail')!r}))\n"
    )
    return Deployer(Toolchain(node=sys.executable, cdk=cdk, search_path="/tools"), folder, running_engine.url)


def told(tmp_path):
    return json.loads((tmp_path / "told").read_text())


def test_bootstrap_names_the_account_and_does_not_run_the_app(deployer, tmp_path):
    deployer.bootstrap()
    words, cwd, environ = told(tmp_path)
    assert words[:2] == ["bootstrap", "aws://000000000000/us-east-1"]
    assert cwd != str(project_folder())
    assert environ["AWS_ENDPOINT_URL"] == deployer.endpoint_url


def test_a_deploy_has_no_access_to_the_developers_account(deployer, tmp_path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "the developer's")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the developer's")
    monkeypatch.setenv("TIDEGATE_STATE_DIR", "another")
    with pytest.raises(DeploymentError):
        deployer.deploy(CONTEXT)
    _, _, environ = told(tmp_path)
    assert "the developer's" not in environ.values()
    assert not [name for name in environ if name.startswith("TIDEGATE_")]
    assert environ["PATH"] == "/tools"
    assert "127.0.0.1" in environ["NO_PROXY"].split(",")


def test_a_failed_command_shows_the_end_of_its_log(deployer, tmp_path):
    (tmp_path / "fail").touch()
    with pytest.raises(DeploymentError, match=r"`cdk deploy` failed(.|\n)*cdk-deploy.log:\n  the last words"):
        deployer.deploy(CONTEXT)


def test_a_command_that_failed_on_a_full_disk_says_so(deployer, tmp_path, monkeypatch):
    (tmp_path / "fail").touch()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage._replace(free=3_000_000))
    with pytest.raises(DeploymentError, match=r"has 3 MB left, .*: make room on it") as failed:
        deployer.deploy(CONTEXT)
    assert "the last words" not in str(failed.value)


def test_success_without_a_stack_is_none(deployer):
    with pytest.raises(DeploymentError, match="has no complete stack"):
        deployer.deploy(CONTEXT)


def test_without_an_app_there_is_nothing_to_deploy(deployer, tmp_path, monkeypatch):
    monkeypatch.setattr(deployment, "project_folder", lambda: tmp_path)
    with pytest.raises(DeploymentError, match=r"no app\.py"):
        deployer.deploy(CONTEXT)


def test_an_engine_that_stopped_answering_is_named(deployer):
    gone = Deployer(deployer.tools, deployer.folder, "http://127.0.0.1:1")
    with pytest.raises(DeploymentError, match="stopped answering"):
        gone.current()


def test_a_stack_is_known_by_its_outputs_and_its_last_change(deployer, running_engine, monkeypatch):
    monkeypatch.setattr(deployment, "local_stack", lambda: "Any")
    monkeypatch.setattr(deployment, "_PLATFORM_OUTPUTS", ("ApiId",))
    with contextlib.closing(cloud.client("cloudformation", running_engine.url)) as cloudformation:

        def template(value, output="ApiId"):
            queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": value}}
            return json.dumps({"Resources": {"Queue": queue}, "Outputs": {output: {"Value": str(value)}}})

        assert deployer.current() is None
        cloudformation.create_stack(StackName="Any", TemplateBody=template(1))
        cloudformation.get_waiter("stack_create_complete").wait(StackName="Any", WaiterConfig={"Delay": 0.1})
        first = deployer.current()
        assert first.outputs == {"ApiId": "1"}
        assert deployer.current() == first
        cloudformation.update_stack(StackName="Any", TemplateBody=template(2))
        cloudformation.get_waiter("stack_update_complete").wait(StackName="Any", WaiterConfig={"Delay": 0.1})
        second = deployer.current()
        assert second.version != first.version
        cloudformation.update_stack(StackName="Any", TemplateBody=template(3, output="Another"))
        cloudformation.get_waiter("stack_update_complete").wait(StackName="Any", WaiterConfig={"Delay": 0.1})
        with pytest.raises(DeploymentError, match="has no output ApiId"):
            deployer.current()


def test_the_cdk_lock_names_no_registry():
    lock = json.loads((CDK_CLI_PROJECT / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())


def test_the_tools_are_installed_once(monkeypatch):
    first = toolchain.ensure()
    assert first.cdk.is_file()
    monkeypatch.setattr(toolchain, "run_logged", lambda *_, **__: pytest.fail("npm was run again"))
    assert toolchain.ensure() == first


def test_without_uv_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "project_folder", lambda: tmp_path)
    monkeypatch.setattr(toolchain.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ToolMissingError, match="make setup"):
        toolchain.find_uv()
