"""The controller's archive: its own code and pinned packages; whatever a release changes, it stays as it is."""

import subprocess
import sys
import zipfile

import pytest

from infra.artefacts import library_layer
from infra.controller import controller
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST, LAMBDA_ARM64

from .conftest import ROOT


@pytest.fixture(scope="module")
def archive():
    return controller(Workspace.at(ROOT), HOST)


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("controller")
    zipfile.ZipFile(archive.path).extractall(folder)
    return folder


def test_a_library_or_a_package_that_is_broken_changes_nothing_of_it(archive, clone):
    workspace = clone("broken")
    before = library_layer(workspace, HOST)
    (workspace.root / "layers/tidegate/python/tidegate/__init__.py").write_text("raise RuntimeError\n")
    (workspace.root / "layers/tidegate/python/tidegate/outcomes/histogram.py").write_text("raise RuntimeError\n")
    lock = workspace.root / "uv.lock"
    lock.write_text(lock.read_text().replace('name = "boto3"', 'name = "boto4"'))
    assert library_layer(workspace, HOST) != before
    assert controller(workspace, HOST) == archive


def test_its_own_code_is_in_it(archive, clone):
    workspace = clone("changed")
    (workspace.root / "functions/rollout/states.py").write_text("# changed\n")
    assert controller(workspace, HOST).digest != archive.digest


def test_it_runs_from_its_archive_alone(unpacked):
    code = (
        "import sys\n"
        f"sys.path[:] = [{str(unpacked)!r}, *[path for path in sys.path if 'site-packages' not in path]]\n"
        "from functions.rollout import handler, hook, parts, counts\n"
        "assert not handler.broken and not hook.broken, (handler.broken, hook.broken)\n"
        "import boto3, redis\n"
        f"assert boto3.__file__.startswith({str(unpacked)!r}) and redis.__file__.startswith({str(unpacked)!r})\n"
        "for service in ('lambda', 'stepfunctions', 'codedeploy', 'sts'):\n"
        "    parts.client(service)\n"
        "parts.questioning(), parts.migrating(), parts._table('t')\n"
        "counts.stored_counts({'TIDEGATE_TABLE': 't', 'TIDEGATE_REDIS_URL': 'redis://127.0.0.1:1'})\n"
    )
    environ = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "-", "AWS_SECRET_ACCESS_KEY": "-"}
    subprocess.run([sys.executable, "-I", "-c", code], env=environ, check=True)


def test_it_is_small_enough_to_start_quickly(archive):
    assert archive.path.stat().st_size < 6_000_000


def test_its_packages_are_pinned_with_their_hashes():
    lines = (ROOT / "functions/rollout/requirements.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert {line.split("==")[0] for line in packages} >= {"boto3", "botocore", "redis"}
    assert all("==" in line for line in packages)
    assert sum("--hash=sha256:" in line for line in lines) >= len(packages)


def test_what_ships_to_aws_is_built_for_it(archive):
    assert controller(Workspace.at(ROOT), LAMBDA_ARM64).digest != archive.digest
