"""A cloud assembly for an account on AWS: synthesized once, looked at, and deployed as it is."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate_local.deployment.synth_error import synth_error
from tidegate_local.doctor.template_facts import TemplateFacts
from tidegate_local.errors import DeploymentError, log_tail
from tidegate_local.layout import project_folder
from tidegate_local.processes import CommandError, run_logged
from tidegate_local.releases.stage_names import stack_name, stage_of
from tidegate_local.toolchain import Toolchain


@dataclass(frozen=True)
class Assembly:
    """The folder of an assembly, and what its stack asks for."""

    folder: Path
    facts: TemplateFacts


def stack_of(context: Mapping[str, str]) -> str:
    """Return the stack that a CDK context deploys."""
    stage = stage_of(context)
    return stack_name(stage)


@contextmanager
def synthesized(tools: Toolchain, context: Mapping[str, str]) -> Iterator[Assembly]:
    """Synthesize the app into a folder that goes with the block.

    Raises:
        DeploymentError: the app refused its context, or couldn't be built; the message says why.
    """
    with TemporaryDirectory(prefix="tidegate-cdk-") as scratch:
        folder, log = Path(scratch, "assembly"), Path(scratch, "cdk-synth.log")
        command = [str(tools.node), str(tools.cdk), "synth", "--quiet", "--no-notices", "--output", str(folder)]
        environ = {**os.environ, "PATH": tools.python_path(), "CI": "true", "NO_COLOR": "1"}
        try:
            run_logged([*command, *words_of(context)], env=environ, log=log, cwd=project_folder())
        except CommandError as error:
            said = synth_error(log) or f"The end of its log, {log_tail(log, 30)}"
            raise DeploymentError(f"`cdk synth` failed. {said}") from error
        yield Assembly(folder, TemplateFacts.of_assembly(folder, stack_of(context)))


def words_of(context: Mapping[str, str]) -> Sequence[str]:
    """Write a context as a CDK command's words."""
    return [word for name, value in context.items() for word in ("-c", f"{name}={value}")]
