"""`tidegate cdk` is the pinned CLI, at the root of the repository."""

import json
import subprocess
import sys

import pytest

from tidegate_local.layout import CDK_CLI_PROJECT


@pytest.mark.slow
def test_it_is_the_pinned_version_and_its_exit_code_is_passed_on():
    pinned = json.loads((CDK_CLI_PROJECT / "package.json").read_text())["dependencies"]["aws-cdk"]
    run = [sys.executable, "-m", "tidegate_local", "cdk"]
    version = subprocess.run([*run, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith(pinned)
    assert subprocess.run([*run, "no-such-command"], capture_output=True, check=False).returncode != 0
