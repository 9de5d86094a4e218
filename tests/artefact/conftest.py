import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.artefacts import dependencies_layer, function_code, library_layer
from tidegate_build.assets import Asset, Workspace
from tidegate_build.targets import HOST, LAMBDA_ARM64, Target

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Artefact:
    """What one stage ships, and where this test has unpacked it as Lambda does."""

    target: Target
    assets: dict[str, Asset]
    task: Path
    opt: Path

    @property
    def packages(self) -> Path:
        return self.opt / "python"

    def trees(self) -> tuple[Path, Path]:
        return self.task, self.opt


def unpack(target: Target, folder: Path) -> Artefact:
    workspace = Workspace.at(ROOT)
    code, worker, migrate = (function_code(workspace, name, target) for name in ("api", "worker", "migrate"))
    layers = {"dependencies": dependencies_layer(workspace, target), "tidegate": library_layer(workspace, target)}
    artefact = Artefact(
        target, {"api": code, "worker": worker, "migrate": migrate, **layers}, folder / "task", folder / "opt"
    )
    for function in (code, worker, migrate):  # the worker ships the API's files, and its own
        _extract(function, artefact.task)
    for layer in layers.values():
        _extract(layer, artefact.opt)
    return artefact


def _extract(asset: Asset, folder: Path) -> None:
    with zipfile.ZipFile(asset.path) as bundle:
        bundle.extractall(folder)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """What both stages ship, unpacked once in the session."""
    targets = {"local": HOST, "aws": LAMBDA_ARM64}
    return {name: unpack(target, tmp_path_factory.mktemp(name)) for name, target in targets.items()}


@pytest.fixture(scope="session", params=["aws", "local"])
def artefact(request, unpacked):
    """What each stage ships in turn."""
    return unpacked[request.param]


@pytest.fixture(scope="session")
def alone(unpacked):
    """Runs code that sees the standard library and what ships for this machine, and nothing else."""
    local = unpacked["local"]

    def run(code: str, **environ: str) -> object:
        # -I and -S leave out this checkout, its virtual environment and all PYTHON* variables.
        paths = [str(local.task), str(local.packages)]
        prelude = f"import sys, json; sys.dont_write_bytecode = True; sys.path[:0] = {paths!r}\n"
        result = subprocess.run(
            [sys.executable, "-I", "-S", "-c", prelude + code],
            cwd=local.task,
            env={"AWS_DEFAULT_REGION": "us-east-1", "HOME": str(local.task), **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    return run
