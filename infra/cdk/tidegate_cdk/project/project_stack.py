"""A project's stack: its sources and its locked packages, of the stage that CDK's context names."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import App

from tidegate_build.assets import Workspace, source_files
from tidegate_build.code import code_archive
from tidegate_build.dependencies import Locked, dependencies_layer
from tidegate_build.library import library_layer
from tidegate_cdk.api.protected_api import ProtectedApi
from tidegate_cdk.project.engines import on_engine
from tidegate_cdk.project.layers import Layers
from tidegate_cdk.project.options import with_options
from tidegate_cdk.project.stage_stack import StageStack
from tidegate_cdk.project.stages import Stage, select


class ProjectStack(StageStack):
    """The stack NAME-local, NAME-aws or NAME-aws-ENV of a project whose sources are in one folder."""

    def __init__(
        self, app: App, name: str, *, root: Path, adapt: Callable[[Stage], Stage] = lambda stage: stage
    ) -> None:
        """Make it, without an API as yet.

        Args:
            app: whose context names the stage and its options (`-c stage=aws -c env=staging`).
            name: how the stack's name begins; `stack` of [tool.tidegate].
            root: the project's folder, with pyproject.toml and uv.lock.
            adapt: changes the stage's settings, such as `lambda stage: replace(stage, memory_mb=3008)`.

        Raises:
            SettingError: the context names no stage, or an option has a value that it doesn't take.
        """
        context = app.node.try_get_context
        named = ("stage", "redis_url", "strategy", "step_s", "rollout")
        stage = select(*map(context, named), into_incident=context("into_incident"))
        stage = adapt(with_options(on_engine(stage, *map(context, ("engine", "former"))), context))
        super().__init__(app, f"{name}-{stage.name}", stage=stage, description=f"{name}: an API that Tidegate protects")
        self._workspace = Workspace.at(root)

    def serve(
        self, handler: str, *, packages: Sequence[str] = ("api",), services: Sequence[str] = (), **parts: Any
    ) -> ProtectedApi:
        """Make the API of a handler in the project's packages.

        Args:
            handler: the function's, such as api.app.handler.
            packages: the folders that ship, by their names in the project.
            services: those of AWS that the project calls by boto3, beside DynamoDB, Lambda, SQS and STS.
            parts: ProtectedApi's arguments, in place of the stage's.

        Raises:
            BuildError: uv is missing, or fails to get a locked wheel.
            SettingError: a part has a value that it doesn't take.
        """
        workspace, target = self._workspace, self.stage.target
        layers = Layers(
            self,
            "Layers",
            workspace=workspace,
            target=target,
            # The library is a layer of its own.
            dependencies=dependencies_layer(
                workspace, target, Locked(without=("tidegate",)).requirements(workspace), services=services
            ),
            library=library_layer(workspace, target),
            in_zips=self.stage.layers_in_zips,
        )
        files = {name: file for package in packages for name, file in self._files(package).items()}
        code = layers.code(code_archive(workspace, "project", files, target))
        return self.protect(code=code, handler=handler, layers=layers.versions, **parts)

    def _files(self, package: str) -> dict[str, Path]:
        return source_files(self._workspace.root / package, package)
