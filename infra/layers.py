"""The layers of every function: the locked third-party packages, and the library."""

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.artefacts import library_layer
from infra.assets import Asset, Workspace
from infra.dependencies import dependencies_layer
from infra.targets import Target


class Layers(Construct):
    """Both layers, as `versions` in the order that Lambda unpacks them: the library may replace a package."""

    def __init__(self, scope: Construct, construct_id: str, *, workspace: Workspace, target: Target) -> None:
        super().__init__(scope, construct_id)
        self.versions = (
            self._layer("Dependencies", dependencies_layer(workspace, target), target),
            self._layer("Tidegate", library_layer(workspace, target), target),
        )

    def _layer(self, name: str, asset: Asset, target: Target) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=lambda_.Code.from_asset(str(asset.path), asset_hash=asset.digest),
            compatible_architectures=[architecture(target)],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )


def architecture(target: Target) -> lambda_.Architecture:
    """Give the target's architecture its CDK name."""
    return lambda_.Architecture.custom(target.architecture)
