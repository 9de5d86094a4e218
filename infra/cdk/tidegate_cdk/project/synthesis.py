"""The CDK app of a project: one stack, written as a cloud assembly; what it refuses is said in one sentence."""

import sys
from collections.abc import Callable
from pathlib import Path

from aws_cdk import App

from tidegate_build.shipped import ArchiveMissingError
from tidegate_build.toolchain import BuildError
from tidegate_cdk.project.project_stack import ProjectStack
from tidegate_cdk.project.stages import Stage
from tidegate_cdk.setting_error import SettingError


def synthesize(
    compose: Callable[[ProjectStack], object],
    name: str,
    *,
    root: Path,
    adapt: Callable[[Stage], Stage] = lambda stage: stage,
) -> None:
    """Write the assembly of a project's stack, or end with a sentence that says what is to be mended.

    Args:
        compose: gives the stack its tables and its API.
        name: how the stack's name begins.
        root: the project's folder.
        adapt: changes the stage's settings.
    """
    app = App()
    try:
        compose(ProjectStack(app, name, root=root, adapt=adapt))
        app.synth()
    except (SettingError, BuildError, ArchiveMissingError, OSError) as error:
        sys.exit(f"tidegate: {error}")
