"""A release starts with a new version; no version, no canary. These change the sources and synthesize again."""

import pytest

from .conftest import CONTEXT, synthesize

FLAG = "@aws-cdk/aws-lambda:recognizeLayerVersion"


def published(synthesized, name="api"):
    (version,) = synthesized.of_function("AWS::Lambda::Version", name)
    return version


@pytest.fixture
def synth(tmp_path, both):
    counted = iter(range(99))

    def run(stage, workspace, context=CONTEXT):
        return synthesize(both[stage].stage, tmp_path / f"out{next(counted)}", workspace, context)

    return run


def change(path):
    path.write_text(path.read_text() + "\n# changed\n")


def test_the_flag_is_set():
    assert CONTEXT[FLAG] is True


@pytest.mark.parametrize("stage", ["local", "aws"])
def test_the_same_sources_elsewhere_publish_nothing(stage, both, clone, synth):
    assert synth(stage, clone("copy")).document == both[stage].document


@pytest.mark.parametrize("stage", ["local", "aws"])
def test_a_change_of_the_layer_alone_publishes_a_version(stage, both, clone, synth):
    workspace = clone("copy")
    change(workspace.root / "layers/tidegate/python/tidegate/__init__.py")
    changed = synth(stage, workspace)
    assert published(changed) != published(both[stage])
    assert changed.function()["Code"] == both[stage].function()["Code"]


def test_without_the_flag_it_would_not(both, clone, synth):
    context = {**CONTEXT, FLAG: False}
    workspace = clone("copy")
    before = published(synth("local", workspace, context))
    change(workspace.root / "layers/tidegate/python/tidegate/__init__.py")
    assert published(synth("local", workspace, context)) == before


def test_a_change_of_the_code_publishes_a_version(both, clone, synth):
    workspace = clone("copy")
    change(workspace.root / "functions/api/__init__.py")
    changed = synth("local", workspace)
    for name in ("api", "worker"):  # the worker runs the same application
        assert published(changed, name) != published(both["local"], name)
    assert layers(changed) == layers(both["local"])


def layers(synthesized):
    return [layer["Content"]["S3Key"] for layer in synthesized.properties("AWS::Lambda::LayerVersion")]
