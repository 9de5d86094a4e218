"""The cloud that the releases of `release_demo` happen on, and the copy of the repository that is released to it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.migrate.journal import Journal
from functions.migrate.ledger import Ledger
from tests.harness.redis_server import RedisServer
from tidegate_local import cloud
from tidegate_local.releases.alias_shares import shares
from tidegate_local.releases.item import ReleaseItem, Releases
from tidegate_local.scenarios.clone import Clone

DEADLINE_S = 900
Item = dict[str, Any]


@dataclass(frozen=True)
class Cloud:
    """A cloud that is up, and the copy of the repository that is released to it."""

    state: dict[str, Any]
    redis: RedisServer
    clone: Clone

    def client(self, service: Any) -> Any:
        """Make a client of the engine."""
        return cloud.client(service, self.state["endpoint_url"])

    def latest(self) -> ReleaseItem:
        """Read the release that runs, or the last one."""
        with closing(self.client("dynamodb")) as dynamodb:
            found = Releases(dynamodb, self.state["outputs"]["TidegateTable"], "local").latest()
        assert found is not None
        return found

    def await_release(self, wanted: Callable[[ReleaseItem], bool]) -> ReleaseItem:
        """Wait until the latest release is so."""
        deadline = time.monotonic() + DEADLINE_S
        while not wanted(found := self.latest()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never: {found}")
            time.sleep(0.2)
        return found

    def last_verdict(self) -> dict[str, Any]:
        """Read the judge's last word from the release's report."""
        with closing(self.client("dynamodb")) as dynamodb:
            releases = Releases(dynamodb, self.state["outputs"]["TidegateTable"], "local")
            report = releases.report(self.latest().token)
        assert report is not None, "the release had no canary"
        verdict: dict[str, Any] = json.loads(report)["verdicts"][-1]
        return verdict

    def alias(self, output: str = "FunctionName") -> tuple[str, bool]:
        """Return a function's version in force, the API's or by another output, and whether that is all."""
        with closing(self.client("lambda")) as functions:
            found = functions.get_alias(FunctionName=self.state["outputs"][output], Name="live")
        return found["FunctionVersion"], len(shares(found)) == 1

    def in_force(self) -> dict[str, str]:
        """Return both functions' versions in force."""
        return {self.state["outputs"][of]: self.alias(of)[0] for of in ("FunctionName", "WorkerName")}

    def put(self, versions: Mapping[str, str]) -> None:
        """Move aliases as one does on the console."""
        with closing(self.client("lambda")) as functions:
            for name, version in versions.items():
                functions.update_alias(
                    FunctionName=name,
                    Name="live",
                    FunctionVersion=version,
                    RoutingConfig={"AdditionalVersionWeights": {}},
                )

    def ledger(self) -> dict[str, Any]:
        """Read the release's item as it is."""
        with closing(self.client("dynamodb")) as dynamodb:
            table, key = self.state["outputs"]["TidegateTable"], {"pk": {"S": "release#local"}}
            item: dict[str, Any] = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        return item

    def stack(self) -> tuple[str, str]:
        """Return the stack's status, and the API's version in its template."""
        with closing(self.client("cloudformation")) as cloudformation:
            (stack,) = cloudformation.describe_stacks(StackName="Tidegate-local")["Stacks"]
            resources = cloudformation.describe_stack_resources(StackName="Tidegate-local")["StackResources"]
        # LocalStack goes on listing what a template retained when it left it.
        here = [resource for resource in resources if resource["ResourceStatus"] != "DELETE_SKIPPED"]
        arns = [r["PhysicalResourceId"] for r in here if r["ResourceType"] == "AWS::Lambda::Version"]
        return stack["StackStatus"], next(arn.rsplit(":", 1)[-1] for arn in arns if "-api:" in arn)

    def journal(self) -> Journal:
        """Read what became of the migrations."""
        with closing(self.client("dynamodb")) as dynamodb:
            # Its clock is for taking the lock alone.
            return Ledger(dynamodb, self.state["outputs"]["TidegateTable"], "local", clock=None).read()  # type: ignore[arg-type]  # nothing is taken

    def orders(self) -> list[Item]:
        """Read all orders, as they are in the table."""
        with closing(self.client("dynamodb")) as dynamodb:
            pages = dynamodb.get_paginator("scan").paginate(TableName=self.state["outputs"]["OrdersTable"])
            return [item for page in pages for item in page["Items"]]


@contextmanager
def cloud_up() -> Iterator[Cloud]:
    """Bring a cloud up from the repository, and take it down."""
    with tempfile.TemporaryDirectory() as folder, RedisServer() as redis:
        environ = {"TIDEGATE_STATE_DIR": f"{folder}/state", "REDIS_URL": redis.url}
        clone = Clone.at(Path(folder, "clone"), environ)
        try:
            status, printed = clone.tidegate("up")
            assert status == 0, printed
            yield Cloud(json.loads(Path(folder, "state", "state.json").read_text()), redis, clone)
        finally:
            clone.tidegate("down")
