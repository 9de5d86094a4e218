"""The library's layer in anybody's stack."""

import zipfile

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from infra.artefacts import library_layer
from tests.infra.conftest import ROOT
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST
from tidegate_cdk import TidegateLayer


@pytest.fixture
def made(tmp_path):
    """`made(**options)`: the layer's properties in the template, and its archive."""

    def of(**options):
        app = App(outdir=str(tmp_path))
        TidegateLayer(Stack(app, "Outsider"), "Layer", **options)
        artifact = app.synth().get_stack_by_name("Outsider")
        (layer,) = artifact.template["Resources"].values()
        (archive,) = tmp_path.glob("asset.*.zip")
        return layer["Properties"], archive

    return of


def test_it_has_the_library_s_sources_and_nothing_that_is_of_one_platform(made):
    _, archive = made()
    own = set(zipfile.ZipFile(archive).namelist())
    deployed = set(zipfile.ZipFile(library_layer(Workspace.at(ROOT), HOST).path).namelist())
    assert own == {name for name in deployed if not name.endswith(".pyc")}
    assert "extensions/tidegate" in own


@pytest.mark.parametrize(
    ("options", "architectures"),
    [
        ({}, ["arm64", "x86_64"]),
        ({"architecture": lambda_.Architecture.X86_64}, ["x86_64"]),
    ],
)
def test_it_is_for_functions_of_an_architecture_or_of_both(made, options, architectures):
    properties, _ = made(**options)
    assert properties["CompatibleArchitectures"] == architectures
    assert "python3.13" in properties["CompatibleRuntimes"]
