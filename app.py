"""The CDK app: `cdk synth -c stage=local|aws`. It reads the repository and makes no AWS call."""

import sys
from pathlib import Path

from aws_cdk import App

from infra.assets import Workspace
from infra.engines import on_engine
from infra.stack import TidegateStack
from infra.stages import StageError, select
from infra.toolchain import BuildError


def main() -> None:
    """Compose the stack of the stage that the context names, and write the cloud assembly."""
    app = App()
    node = app.node
    stage = select(*(node.try_get_context(name) for name in ("stage", "redis_url", "strategy", "step_s", "rollout")))
    stage = on_engine(stage, *map(node.try_get_context, ("engine", "former")))
    workspace = Workspace.at(Path(__file__).parent)
    TidegateStack(app, f"Tidegate-{stage.name}", stage=stage, workspace=workspace)
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (StageError, BuildError) as error:
        sys.exit(f"tidegate: {error}")
