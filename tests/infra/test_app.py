"""The app as `cdk` runs it: a process of its own, which gets its context from the environment."""

import json
import os
import subprocess
import sys

import pytest

from .conftest import CONTEXT, ROOT


@pytest.fixture
def app(tmp_path):
    def run(**context):
        # No credentials, no configuration, and an endpoint that refuses: nothing can ask AWS unnoticed.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environ |= {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "CDK_OUTDIR": str(tmp_path),
            "CDK_CONTEXT_JSON": json.dumps({**CONTEXT, **context}),
        }
        return subprocess.run(
            [sys.executable, "app.py"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("both")
def test_the_aws_stage_is_synthesized_without_credentials(app, tmp_path):
    result = app(stage="aws", permissions_boundary="Tidegate-boundary")
    assert result.returncode == 0, result.stderr
    made = json.loads((tmp_path / "Tidegate-aws.template.json").read_text())["Resources"].values()
    # Asked for with it, since a synthesis takes long: no role is without the boundary that a pipeline's deploy has.
    bounds = [json.dumps(each["Properties"].get("PermissionsBoundary")) for each in made if "IAM::Role" in each["Type"]]
    assert bounds
    assert all(":policy/Tidegate-boundary" in bound for bound in bounds)
    # Fixed by the context alone: nothing was looked up, and nothing is left to be.
    assert not json.loads((tmp_path / "manifest.json").read_text()).get("missing")


@pytest.mark.slow
def test_a_bad_stage_is_refused_in_one_line(app):
    result = app(stage="prod")
    assert result.returncode == 1
    assert result.stderr.strip() == "tidegate: there is no stage 'prod': use -c stage=local or -c stage=aws"


REFUSED = "stage aws has timeout_s=60: write 1 to 29"
# A stage that somebody has edited so: its module is where it is refused.
EDITED = f"""
import runpy, sys
from tidegate_cdk.setting_error import SettingError

class Edited:
    def find_spec(self, name, *_):
        if name == "infra.stages":
            raise SettingError({REFUSED!r})

sys.meta_path.insert(0, Edited())
runpy.run_path("app.py", run_name="__main__")
"""


@pytest.mark.slow
def test_what_a_stage_itself_refuses_is_one_line_too():
    command = [sys.executable, "-c", EDITED]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == f"tidegate: {REFUSED}"


def test_the_command_of_cdk_json_is_this_app():
    assert json.loads((ROOT / "cdk.json").read_text())["app"] == "python app.py"
    assert CONTEXT["stage"] == "local"
