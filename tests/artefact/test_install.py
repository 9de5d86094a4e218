"""The wheel in an environment of its own: what `pip install tidegate` brings, and what a missing extra says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_build.toolchain import find_uv

pytestmark = pytest.mark.xdist_group("install")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("first_refusal.py")
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGATE_", "AWS_", "PYTHONPATH"))}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of a fresh environment with the wheel and without extras."""
    folder = tmp_path_factory.mktemp("install")

    def uv(*words):
        subprocess.run([*find_uv(), *words, "--quiet"], cwd=folder, check=True, stderr=subprocess.PIPE)

    uv("build", "--wheel", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    uv("venv", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--python", str(python), str(wheel))
    return python


def run(python, *words, **environ):
    return subprocess.run(
        [python, *words], cwd=python.parent, env={**PLAIN, **environ}, capture_output=True, text=True, check=False
    )


def test_the_library_alone_runs_to_its_first_429(python):
    ended = run(python, SCRIPT, TIDEGATE_STORE="memory")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == {"statuses": [200, 200, 429], "found": []}


def test_redis_mode_needs_no_extra_and_survives_its_absence(python):
    # Port 1 refuses; the environment's share then decides.
    ended = run(python, SCRIPT, TIDEGATE_REDIS_URL="redis://127.0.0.1:1")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == {"statuses": [200, 200, 429], "found": []}


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TIDEGATE_TABLE": "limits"}, "TIDEGATE_TABLE: it needs botocore"),
        (
            {
                "TIDEGATE_REDIS_URL": "rediss://cache:6379",
                "TIDEGATE_REDIS_IAM_USER": "app",
                "TIDEGATE_REDIS_IAM_CACHE": "cache",
            },
            "TIDEGATE_REDIS_IAM_USER: it needs botocore",
        ),
    ],
)
def test_missing_aws_packages_are_named_with_their_install_line(python, environ, named):
    code = "import first_refusal as first; first.app.user_middleware[0].kwargs['routes']()"
    ended = run(python, "-c", code, PYTHONPATH=str(SCRIPT.parent), AWS_REGION="eu-central-1", **environ)
    assert ended.returncode == 1
    assert f"{named}, which isn't installed; write pip install 'tidegate[aws]'" in ended.stderr


def test_a_lambda_handler_without_powertools_names_its_extra(python):
    code = "import first_refusal as first; from tidegate import lambda_handler; lambda_handler(first.app)"
    ended = run(python, "-c", code, PYTHONPATH=str(SCRIPT.parent), TIDEGATE_STORE="memory")
    assert "ConfigurationError: lambda_handler(app): it needs aws_lambda_powertools" in ended.stderr
    assert ended.stderr.strip().endswith("write pip install 'tidegate[lambda]'")


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("client", "client"),
        ("powertools", "lambda"),
        ("prometheus", "prometheus"),
        ("identity.jwt", "jwt"),
    ],
)
def test_a_module_without_its_packages_names_its_extra(python, module, extra):
    ended = run(python, "-c", f"import tidegate.{module}")
    assert ended.stderr.strip().endswith(f"pip install 'tidegate[{extra}]'")
