"""The library as a Lambda layer."""

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from tidegate_build.library import library_archive


class TidegateLayer(lambda_.LayerVersion):
    """Tidegate's library and its extension as a layer, without the packages that it imports.

    They are a layer of their own, which holds compiled wheels of one platform: `tidegate layer build` makes its
    archive. Name it before this one in a function's `layers`. This one has sources alone and runs on any platform and
    Python, so that each cold start compiles it. `tidegate layer build` makes a second archive of it with bytecode.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, architecture: lambda_.Architecture | None = None
    ) -> None:
        """Make it.

        Args:
            scope: where it is made.
            construct_id: its name there.
            architecture: that of the functions which may use it; both without it.

        Raises:
            ArchiveMissingError: the package was installed without its archives.
        """
        both = [lambda_.Architecture.ARM_64, lambda_.Architecture.X86_64]
        super().__init__(
            scope,
            construct_id,
            code=lambda_.Code.from_asset(str(library_archive())),
            description="Tidegate, the library",
            compatible_architectures=[architecture] if architecture else both,
            compatible_runtimes=[
                lambda_.Runtime.PYTHON_3_11,
                lambda_.Runtime.PYTHON_3_12,
                lambda_.Runtime.PYTHON_3_13,
            ],
        )
