"""`cdk bootstrap` and `cdk deploy` of the repository's app against an engine."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import DeploymentError, log_tail
from tidegate_local.layout import REPOSITORY, TOOLCHAIN, StateFolder
from tidegate_local.processes import CommandError, run_logged
from tidegate_local.toolchain import Toolchain

STACK = "Tidegate-local"
_BOOTSTRAP_STACK = "CDKToolkit"
_REQUIRED_OUTPUTS = (
    "ApiId",
    "StageName",
    "FunctionName",
    "AliasName",
    "TidegateTable",
    "ProductsTable",
    "OrdersTable",
    "FreeKeyId",
    "ProKeyId",
    "InternalKeyId",
)
_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


@dataclass(frozen=True)
class Stack:
    """A deployed stack; `version` changes with every deploy of it."""

    outputs: Mapping[str, str]
    version: str


@dataclass(frozen=True)
class Deployer:
    """Runs CDK commands for one cloud; their output goes to `cdk-*.log` in its logs."""

    tools: Toolchain
    folder: StateFolder
    endpoint_url: str

    def bootstrapped(self) -> bool:
        """Tell whether the engine has CDK's bootstrap stack."""
        return self._describe(_BOOTSTRAP_STACK) is not None

    def bootstrap(self) -> None:
        """Make the buckets and roles that CDK deploys with.

        Raises:
            DeploymentError: the command failed; the message has the end of its log.
        """
        with closing(cloud.client("sts", self.endpoint_url)) as sts:
            account = sts.get_caller_identity()["Account"]
        # From a folder without a cdk.json, so that it doesn't synthesise the app first.
        self._cdk("bootstrap", [f"aws://{account}/{cloud.REGION}"], cwd=TOOLCHAIN)

    def deploy(self, context: Mapping[str, str]) -> Stack:
        """Deploy the app's stacks and return the main one.

        Raises:
            DeploymentError: the command failed, or the stack lacks one of the outputs that are read here.
        """
        if not (REPOSITORY / "app.py").is_file():
            raise DeploymentError(
                f"There is no app.py in {REPOSITORY}: put it back, or run `make up` in a whole checkout."
            )
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
            cwd=REPOSITORY,
        )
        stack = self.current()
        if stack is None:
            raise DeploymentError(
                f"CDK reported success, but the engine has no complete stack {STACK}. "
                "`make down && make up` starts anew."
            )
        return stack

    def current(self) -> Stack | None:
        """Return the deployed main stack, None if there is none or its last deploy failed.

        Raises:
            DeploymentError: it lacks outputs.
        """
        described = self._describe(STACK)
        if described is None or described["StackStatus"] not in _COMPLETE:
            return None
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        missing = [name for name in _REQUIRED_OUTPUTS if name not in outputs]
        if missing:
            raise DeploymentError(
                f"The stack {STACK} has no output {', '.join(missing)}. "
                "It is read here: infra/stack.py has to write it."
            )
        changed = described.get("LastUpdatedTime") or described["CreationTime"]
        return Stack(outputs, f"{described['StackId']}@{changed.isoformat()}")

    def _describe(self, stack: str) -> dict[str, Any] | None:
        with closing(cloud.client("cloudformation", self.endpoint_url)) as cloudformation:
            try:
                found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
            except ClientError:
                return None  # CloudFormation's way to say that there is none is a ValidationError
            except BotoCoreError as error:
                raise DeploymentError(
                    f"The engine at {self.endpoint_url} stopped answering ({error}). `make up` starts it again."
                ) from error
        return found[0] if found and found[0]["StackStatus"] != "DELETE_COMPLETE" else None

    def _cdk(self, command: str, words: Sequence[str], cwd: Path) -> None:
        log = self.folder.logs / f"cdk-{command}.log"
        try:
            run_logged(
                [str(self.tools.node), str(self.tools.cdk), command, *words, "--no-notices"],
                env=self._environment(),
                log=log,
                cwd=cwd,
            )
        except CommandError as error:
            raise DeploymentError(f"`cdk {command}` failed. The end of its log, {log_tail(log, 30)}") from error

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
