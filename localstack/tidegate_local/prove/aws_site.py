"""A throwaway environment in an account of AWS', by the credentials of who runs it."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.deployment import seed
from tidegate_local.errors import ProofError
from tidegate_local.layout import project_folder
from tidegate_local.lifecycle.up import await_ready
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.prove.engine_site import doctor
from tidegate_local.prove.fault_injection import Scope, Where, cut, subnets_by_zone
from tidegate_local.prove.outcome import NotRunError
from tidegate_local.prove.stack_end import destroy
from tidegate_local.releases.place import Place, aws_place
from tidegate_local.releases.stage_names import stack_name
from tidegate_local.scenarios.report import Report
from tidegate_local.stacks import api_keys
from tidegate_local.stacks.description import described
from tidegate_local.state import LocalState

# Whatever has another name is nobody's to destroy.
_THROWAWAY = re.compile(r"prove[a-z0-9]{1,7}")
_READY_WITHIN_S = 300.0


class AwsSite:
    """The environment `env` of the stage `aws`; only what this proof deployed is destroyed by it."""

    name = "AWS"
    requests_per_s = 20.0
    timed = True

    def __init__(self, folder: Path, env: str, *, owned: bool = False) -> None:
        """Take an environment.

        Args:
            folder: for the state file and the logs.
            env: its name, such as prove1a2b.
            owned: it was deployed by an earlier proof, which was cut short.

        Raises:
            ProofError: it isn't the name of a throwaway environment.
        """
        if not _THROWAWAY.fullmatch(env):
            raise ProofError(
                f"--env is {env!r}: write prove and 1 to 7 lower-case letters or digits, such as prove1. The "
                "environment is destroyed at the end, and no other name can be meant for that."
            )
        self.folder, self.env, self._owned = folder, env, owned
        self.stage = f"aws-{env}"
        self.stack = stack_name(self.stage)
        self.environ: Mapping[str, str] = {}
        self._deployed: LocalState | None = None

    @property
    def state(self) -> LocalState:
        """The deployed API."""
        if self._deployed is None:
            raise ProofError(f"The environment {self.env} isn't deployed")
        return self._deployed

    def about(self) -> dict[str, str]:
        """Say whose account it is."""
        try:
            account, partition, region = self._where()
        except (BotoCoreError, ClientError) as error:
            return {"place": self.name, "account": f"unknown: {error}"}
        return {"place": self.name, "account": account, "partition": partition, "region": region, "env": self.env}

    def preflight(self) -> str:
        """Ask `tidegate doctor` about the account, and see that the environment is neither there nor another's."""
        said = doctor(self.environ, "--stage", self.stage)
        listed = self._cdk("list", *self._context).split()
        if listed != [self.stack]:
            raise ProofError(
                f"`cdk list -c env={self.env}` names {' '.join(listed) or 'nothing'}, not {self.stack}: a deploy would "
                "go to another environment"
            )
        if described(self.client("cloudformation"), self.stack) is not None:
            raise ProofError(f"The stack {self.stack} is there already: choose another --env, or --only-destroy it")
        return f"{said}; {self.stack} is nobody's yet"

    def deploy(self) -> str:
        """Deploy, seed the tables, and wait until the API is ready."""
        facts = ProjectFacts.read()
        self._owned = True
        with tempfile.TemporaryDirectory() as scratch:
            outputs = Path(scratch, "outputs.json")
            self._cdk("deploy", *self._context, "--require-approval", "never", "--outputs-file", str(outputs))
            told: Mapping[str, Mapping[str, str]] = json.loads(outputs.read_text(encoding="utf-8"))
        self._deployed = deployed_state(told[self.stack])
        seed.sow(cloud.AWS, self.state.outputs, facts)
        await_ready(self.state, facts.readiness, _READY_WITHIN_S)
        return f"stack {self.stack} at {self.state.api_url}"

    def place(self) -> AbstractContextManager[Place]:
        """Open where its releases are."""
        return aws_place(self.stage)

    def client(self, service: str) -> Any:
        """Make a client, by the environment's own credentials."""
        return cloud.client(service, cloud.AWS)

    @contextmanager
    def zone_cut(self) -> Iterator[None]:
        """Cut the subnets of one zone off from the other zones."""
        with closing(self.client("ec2")) as ec2:
            zones = subnets_by_zone(ec2, self._subnets())
        if len(zones) < 2:
            raise NotRunError(f"the subnets are all in one zone ({', '.join(zones)}), so that nothing can fail over")
        with self._cut(zones[min(zones)], "availability-zone"):
            yield

    @contextmanager
    def cache_cut(self) -> Iterator[None]:
        """Cut all subnets off from the VPC."""
        with self._cut(self._subnets(), "vpc"):
            yield

    def demo(self) -> Report:
        """Refuse: ElastiCache has no process that could be killed."""
        raise NotRunError("ElastiCache Serverless can be neither killed nor stopped; network-cut plays it by FIS")

    def destroy(self) -> str:
        """Destroy the environment, if it is this proof's."""
        if not self._owned:
            return "nothing was deployed"
        retained = destroy(self.client, self.stack)
        return f"stack {self.stack} deleted" + (f", and what it retained: {', '.join(retained)}" if retained else "")

    @property
    def _context(self) -> list[str]:
        return ["-c", "stage=aws", "-c", f"env={self.env}"]

    def _cdk(self, *words: str) -> str:
        """Run a command of CDK's; what it prints to standard output is returned, and its log is in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"cdk-{words[0]}.log"
        with log.open("w", encoding="utf-8") as said:
            done = subprocess.run(  # noqa: S603 - our own words
                [sys.executable, "-m", "tidegate_local", "cdk", *words],
                cwd=project_folder(),
                env={**os.environ, **self.environ},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                check=False,
            )
        if done.returncode:
            end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ProofError(f"`cdk {words[0]}` failed; the end of {log}:\n{end}\n{done.stdout[-1000:]}")
        return done.stdout

    def _cut(self, subnets: tuple[str, ...], scope: Scope) -> AbstractContextManager[None]:
        account, partition, region = self._where()
        return cut(self.client, Where(subnets, account, region, partition), scope)

    def _subnets(self) -> tuple[str, ...]:
        with closing(self.client("cloudformation")) as stacks:
            pages = stacks.get_paginator("list_stack_resources").paginate(StackName=self.stack)
            made = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return tuple(each["PhysicalResourceId"] for each in made if each["ResourceType"] == "AWS::EC2::Subnet")

    def _where(self) -> tuple[str, str, str]:
        """Return account, partition and region."""
        with closing(self.client("sts")) as sts:
            told = sts.get_caller_identity()
            return str(told["Account"]), str(told["Arn"]).split(":")[1], str(sts.meta.region_name)


def deployed_state(outputs: Mapping[str, str]) -> LocalState:
    """Describe a stack of AWS' as the scenarios and the tests want it.

    Args:
        outputs: of the stack.

    Raises:
        LocalCloudError: its API's keys can't be read.
    """
    return LocalState(
        api_url=outputs["ApiUrl"].rstrip("/"),
        endpoint_url=cloud.AWS,
        redis_url="",
        engine="aws",
        software="aws",
        api_keys=api_keys.read(cloud.AWS, outputs),
        pids={},
        outputs=outputs,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        deployed="",
        stack_version="",
        versions={"engine": "as deployed", "redis": "ElastiCache"},
    )
