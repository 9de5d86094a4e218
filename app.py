"""The CDK app: `cdk synth -c stage=local|aws`. It reads the repository and makes no AWS call."""

import sys
from pathlib import Path

from aws_cdk import App

from tidegate_build.assets import Workspace
from tidegate_build.toolchain import BuildError
from tidegate_cdk.setting_error import SettingError


def main() -> None:
    """Compose the stack of the stage that the context names, and write the cloud assembly."""
    # Stages are made when they are imported: what one of them refuses is told as what the context is refused for.
    from infra.boundary import bind  # noqa: PLC0415 - see above
    from infra.stack import TidegateStack  # noqa: PLC0415
    from infra.stages import select  # noqa: PLC0415
    from tidegate_cdk.project.engines import on_engine  # noqa: PLC0415
    from tidegate_cdk.project.options import with_options  # noqa: PLC0415

    app = App()
    node = app.node
    named = ("stage", "redis_url", "strategy", "step_s", "rollout")
    stage = select(*map(node.try_get_context, named), into_incident=node.try_get_context("into_incident"))
    stage = on_engine(stage, *map(node.try_get_context, ("engine", "former")))
    stage = with_options(stage, node.try_get_context)
    workspace = Workspace.at(Path(__file__).parent)
    stack = TidegateStack(app, f"Tidegate-{stage.name}", stage=stage, workspace=workspace)
    bind(stack, node.try_get_context("permissions_boundary"))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (SettingError, BuildError, OSError) as error:
        sys.exit(f"tidegate: {error}")
