"""What every function needs: the locked third-party packages, and the library; as layers where they are loaded."""

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_build.assets import Asset, Workspace
from tidegate_build.code import with_layers
from tidegate_build.targets import Target


class Layers(Construct):
    """Both layers, as `versions` in the order that Lambda unpacks them: the library may replace a package.

    `in_zips` is for engines that don't load layers: there are none there, and `code` has what they hold.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workspace: Workspace,
        target: Target,
        dependencies: Asset,
        library: Asset,
        in_zips: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self._workspace = workspace
        self._unpacked = (dependencies, library) if in_zips else ()
        self.versions = (
            ()
            if in_zips
            else (self._layer("Dependencies", dependencies, target), self._layer("Tidegate", library, target))
        )

    def code(self, function: Asset) -> lambda_.Code:
        """Return a function's code as it is deployed beside these layers."""
        return archived(with_layers(self._workspace, function, self._unpacked) if self._unpacked else function)

    def _layer(self, name: str, asset: Asset, target: Target) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=archived(asset),
            compatible_architectures=[architecture(target)],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )


def archived(asset: Asset) -> lambda_.Code:
    """Give an archive to CDK, which is to name it by its sources."""
    return lambda_.Code.from_asset(str(asset.path), asset_hash=asset.digest)


def architecture(target: Target) -> lambda_.Architecture:
    """Give the target's architecture its CDK name."""
    return lambda_.Architecture.custom(target.architecture)
