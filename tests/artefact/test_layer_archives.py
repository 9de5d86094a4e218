"""`tidegate layer build`: the layers as archives, for other tools than CDK."""

import zipfile

import pytest
from typer.testing import CliRunner

from tidegate_local.cli.commands import app

pytestmark = pytest.mark.slow


def test_the_layers_are_built_for_a_processor(tmp_path):
    arch = "arm64"  # tests/artefact/test_tidegate_cdk.py builds for the other
    result = CliRunner().invoke(app, ["layer", "build", "--arch", arch, "--into", str(tmp_path / "layers")])
    assert result.exit_code == 0, result.output
    archives = sorted((tmp_path / "layers").iterdir())
    assert [archive.name for archive in archives] == [
        f"dependencies-layer-py3.13-{arch}.zip",
        f"tidegate-layer-py3.13-{arch}.zip",
    ]
    assert sorted(result.stdout.split()) == [*map(str, archives)]
    dependencies, library = ({*zipfile.ZipFile(archive).namelist()} for archive in archives)
    assert {"python/tidegate/guard.py", "extensions/tidegate"} <= library
    assert any(name.startswith("python/pydantic_core/") and "-aarch64-linux" in name for name in dependencies)
