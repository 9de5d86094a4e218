"""`cdk bootstrap` and `cdk deploy` of the repository's app against an engine."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from tidegate_local import cloud
from tidegate_local.deployment import room
from tidegate_local.deployment.synth_error import synth_error
from tidegate_local.errors import DeploymentError, log_tail
from tidegate_local.layout import StateFolder, project_folder, toolchain_folder
from tidegate_local.processes import CommandError, run_logged
from tidegate_local.releases import advice
from tidegate_local.releases.deployable import is_protected, require_deployable
from tidegate_local.releases.stage_names import local_stack
from tidegate_local.stacks import events
from tidegate_local.stacks.description import Description, described, outputs_of, status_of
from tidegate_local.stacks.status import Standing, standing
from tidegate_local.toolchain import Toolchain

_BOOTSTRAP_STACK = "CDKToolkit"
_PLATFORM_OUTPUTS = (
    "ApiId",
    "StageName",
    "FunctionName",
    "AliasName",
    "TidegateTable",
)


@dataclass(frozen=True)
class Stack:
    """A deployed stack; `version` changes with every deploy of it."""

    outputs: Mapping[str, str]
    version: str


@dataclass(frozen=True)
class Deployer:
    """Runs CDK commands for one cloud; their output goes to `cdk-*.log` in its logs.

    `say` is told of what takes long; `needed` are outputs that the project needs, beside what the platform does.
    """

    tools: Toolchain
    folder: StateFolder
    endpoint_url: str
    say: Callable[[str], None] = lambda _: None
    needed: Sequence[str] = ()

    def bootstrapped(self) -> bool:
        """Tell whether the engine has CDK's bootstrap stack, and it is whole."""
        return standing(status_of(self._describe(_BOOTSTRAP_STACK))) is Standing.WHOLE

    def bootstrap(self) -> None:
        """Make the buckets and roles that CDK deploys with.

        Raises:
            DeploymentError: the command failed; the message has the end of its log.
        """
        with closing(cloud.client("sts", self.endpoint_url)) as sts:
            account = sts.get_caller_identity()["Account"]
        # From a folder without a cdk.json, so that it doesn't synthesise the app first.
        self._cdk("bootstrap", [f"aws://{account}/{cloud.REGION}"], cwd=toolchain_folder())

    def deploy(self, context: Mapping[str, str]) -> Stack:
        """Deploy the app's stacks and return the main one.

        Raises:
            DeploymentError: the command failed, or the stack lacks one of the outputs that are read here.
        """
        if not (project_folder() / "app.py").is_file():
            raise DeploymentError(f"There is no app.py in {project_folder()}: put it back.")
        with self._clients() as clients:
            require_deployable(clients, local_stack(), "local", self.say)
        self._cdk(
            "deploy",
            [
                "--all",
                "--app",
                shlex.join([sys.executable, "app.py"]),
                *(word for name, value in context.items() for word in ("-c", f"{name}={value}")),
                "--output",
                str(self.folder.assembly),
                "--require-approval",
                "never",
                "--progress",
                "events",
            ],
            cwd=project_folder(),
        )
        stack = self.current()
        if stack is None:
            raise DeploymentError(
                f"CDK reported success, but the engine has no complete stack {local_stack()}. "
                "`make down && make up` starts anew."
            )
        return stack

    def current(self) -> Stack | None:
        """Return the deployed main stack, None if there is none or its last deploy failed.

        Raises:
            DeploymentError: it lacks outputs.
        """
        found = self._describe(local_stack())
        if found is None or standing(status_of(found)) is not Standing.WHOLE:
            return None
        outputs = outputs_of(found)
        if missing := [name for name in (*_PLATFORM_OUTPUTS, *self.needed) if name not in outputs]:
            own = ", or pyproject.toml not to name it in [tool.tidegate]" if set(missing) & set(self.needed) else ""
            raise DeploymentError(
                f"The stack {local_stack()} has no output {', '.join(missing)}. "
                f"It is read here: the stack has to write it{own}."
            )
        changed = found.get("LastUpdatedTime") or found["CreationTime"]
        return Stack(outputs, f"{found['StackId']}@{changed.isoformat()}")

    def outputs(self) -> Mapping[str, str]:
        """Return the outputs of the main stack as it is, none if it isn't there."""
        return outputs_of(self._describe(local_stack()))

    def _describe(self, stack: str) -> Description | None:
        with self._clients() as clients:
            return described(clients("cloudformation"), stack)

    @contextmanager
    def _clients(self) -> Iterator[Callable[[str], Any]]:
        with ExitStack() as opened:
            yield cache(lambda service: opened.enter_context(closing(cloud.client(service, self.endpoint_url))))

    def _cdk(self, command: str, words: Sequence[str], cwd: Path) -> None:
        log, began = self.folder.logs / f"cdk-{command}.log", datetime.now(UTC)
        try:
            run_logged(
                [str(self.tools.node), str(self.tools.cdk), command, *words, "--no-notices"],
                env=self._environment(),
                log=log,
                cwd=cwd,
            )
        except CommandError as error:
            raise DeploymentError(self._why(command, log, began)) from error

    def _why(self, command: str, log: Path, began: datetime) -> str:
        """Say why a command failed: CloudFormation's own reason, else the app's, else the end of the log."""
        stack = _BOOTSTRAP_STACK if command == "bootstrap" else local_stack()
        with self._clients() as clients:
            stacks = clients("cloudformation")
            cause = events.cause(events.read(stacks, stack, since=began.replace(microsecond=0)))
            found = None
            with suppress(DeploymentError):  # an engine that died has a log that says why
                found = described(stacks, stack)
        cause = room.lacking(self.folder.path) or cause
        told = f"All that it said is in {log}." if cause else f"The end of its log, {log_tail(log, 30)}"
        reason = cause or synth_error(log)
        following = advice.after_failure(stack, status_of(found), "local", protected=is_protected(found))
        return "\n".join(filter(None, [f"`cdk {command}` failed. {told}", reason, following]))

    def _environment(self) -> dict[str, str]:
        # Assets are named by their content: every cloud on this machine shares the repository's cache of them.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        return cloud.environment(inherited, self.endpoint_url) | {
            "PATH": self.tools.search_path,
            "CI": "true",  # no questions
            "NO_COLOR": "1",
            "PYTHON_COLORS": "0",
            "CDK_DISABLE_VERSION_CHECK": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        }
