"""Releases of all sorts under traffic, on a local cloud of their own; writes the table of docs/releases.md.

python -m tests.scenarios.release_demo [NAME ...]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.harness.redis_server import RedisServer
from tests.harness.release_traffic import Traffic, traffic
from tidegate_local.layout import REPOSITORY
from tidegate_local.release_item import ReleaseItem, Releases
from tidegate_local.scenarios.clone import CHECKOUT, FAILING_ORDERS, SLOW_ORDERS, Clone

_DOCUMENT = REPOSITORY / "docs" / "releases.md"
_BEGIN, _END = "<!-- release-demo: begin -->", "<!-- release-demo: end -->"
_DEADLINE_S = 900


@dataclass(frozen=True)
class Cloud:
    """A cloud that is up, and the copy of the repository that is released to it."""

    state: dict[str, Any]
    redis: RedisServer
    clone: Clone

    def client(self, service: Any) -> Any:
        """Make a client of the engine."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.state["endpoint_url"], **keys)

    def latest(self) -> ReleaseItem:
        """Read the release that runs, or the last one."""
        with closing(self.client("dynamodb")) as dynamodb:
            found = Releases(dynamodb, self.state["outputs"]["TidegateTable"], "local").latest()
        assert found is not None
        return found

    def await_release(self, wanted: Callable[[ReleaseItem], bool]) -> ReleaseItem:
        """Wait until the latest release is so."""
        deadline = time.monotonic() + _DEADLINE_S
        while not wanted(found := self.latest()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never: {found}")
            time.sleep(0.2)
        return found

    def alias(self) -> tuple[str, bool]:
        """Return the API's version in force, and whether that is all that the alias names."""
        with closing(self.client("lambda")) as functions:
            found = functions.get_alias(FunctionName=self.state["outputs"]["FunctionName"], Name="live")
        return found["FunctionVersion"], not (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")

    def stack(self) -> tuple[str, str]:
        """Return the stack's status, and the API's version in its template."""
        with closing(self.client("cloudformation")) as cloudformation:
            (stack,) = cloudformation.describe_stacks(StackName="Tidegate-local")["Stacks"]
            resources = cloudformation.describe_stack_resources(StackName="Tidegate-local")["StackResources"]
        arns = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Version"]
        return stack["StackStatus"], next(arn.rsplit(":", 1)[-1] for arn in arns if "-api:" in arn)


@dataclass(frozen=True)
class Scenario:
    """A release: what changes, what happens in the middle, and how it has to end."""

    name: str
    change: Callable[[Clone], None]
    ends: str = "promoted"
    disturb: Callable[[Cloud, subprocess.Popen[str]], None] | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """What came of it."""

    scenario: Scenario
    release: ReleaseItem
    traffic: Traffic
    in_place: bool

    @property
    def well(self) -> bool:
        """Whether it ended as it has to."""
        return self.release.state == self.scenario.ends and self.in_place


def edited(text: str = "# a release", file: str = CHECKOUT) -> Callable[[Clone], None]:
    """Change one file."""
    return lambda clone: clone.append(file, text)


def kill_cli(cloud: Cloud, cli: subprocess.Popen[str]) -> None:
    """Kill the command and the CDK CLI that it runs."""
    cloud.await_release(lambda release: release.percent > 0)
    for process in (*descendants(cli.pid), cli.pid):
        os.kill(process, signal.SIGKILL)


def kill_workers(cloud: Cloud, _cli: subprocess.Popen[str]) -> None:
    """Kill all processes of functions: the controller's own, and the API's."""
    cloud.await_release(lambda release: release.percent > 0)
    for process in descendants(cloud.state["pids"]["engine"]):
        os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    """List a process's children, and theirs."""
    found = subprocess.run(["pgrep", "-P", str(process)], stdout=subprocess.PIPE, text=True, check=False)  # to look
    children = [int(child) for child in found.stdout.split()]
    return [*children, *(below for child in children for below in descendants(child))]


def kill_redis(cloud: Cloud, _cli: subprocess.Popen[str]) -> None:
    """Kill Redis, which is back, empty, at the next step."""
    cloud.await_release(lambda release: release.percent > 0)
    cloud.redis.kill()
    cloud.await_release(lambda release: release.percent > 10 or release.state != "running")
    cloud.redis.start()


def abort(cloud: Cloud, _cli: subprocess.Popen[str]) -> None:
    """Abort by hand."""
    cloud.await_release(lambda release: release.percent > 0)
    cloud.clone.tidegate("release", "--abort")


LONG = ("--step-s", "60")
SCENARIOS = (
    Scenario("good", edited()),
    Scenario("5 % of requests fail", edited(FAILING_ORDERS.format(share=0.2)), "rolled-back", options=LONG),
    Scenario("p95 x4", edited(SLOW_ORDERS.format(seconds=1)), "rolled-back", options=LONG),
    Scenario("crash at import", edited("raise RuntimeError('it never starts')"), "rolled-back"),
    Scenario("schema not there", edited("SCHEMA_VERSION = 99", "functions/api/schema.py"), "rolled-back"),
    Scenario("aborted by hand", edited("# aborted"), "rolled-back", abort, LONG),
    Scenario("CLI killed", edited("# CLI killed"), disturb=kill_cli),
    Scenario("functions' processes killed", edited("# workers killed"), disturb=kill_workers),
    Scenario("Redis killed", edited("# Redis killed"), disturb=kill_redis),
    Scenario("layer-only change", edited("# a layer", "layers/tidegate/python/tidegate/units.py")),
)


def play(cloud: Cloud, scenario: Scenario) -> Row:
    """Release under traffic, and look at what is in force afterwards."""
    before, last = cloud.alias()[0], cloud.latest().token
    cloud.clone.restore()
    scenario.change(cloud.clone)
    with traffic(cloud.state, per_s=20) as noted:
        cli = cloud.clone.start("release", *scenario.options)
        cloud.await_release(lambda release: release.token > last or cli.poll() is not None)
        assert cloud.latest().token > last, cli.communicate()
        if scenario.disturb:
            scenario.disturb(cloud, cli)
        release = cloud.await_release(lambda found: found.token > last and found.state != "running")
        printed, _ = cli.communicate(timeout=_DEADLINE_S)
    sys.stdout.write(printed)
    deadline = time.monotonic() + 60
    while not cloud.stack()[0].endswith("_COMPLETE") and time.monotonic() < deadline:
        time.sleep(0.2)
    version, whole = cloud.alias()
    in_place = whole and version == cloud.stack()[1] and (scenario.ends == "promoted") == (version != before)
    return Row(scenario, release, noted, in_place)


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


def lines(told: Mapping[str, str]) -> list[str]:
    """Make the table of each release's line, by its name."""
    columns = ("release", "ended", "rightly", "seconds", "canary's requests, last step", "clients' requests", "failed")
    rows = [told[scenario.name] for scenario in SCENARIOS if scenario.name in told]
    return [f"| {' | '.join(columns)} | said |", "|---|---|---|---:|---:|---:|---:|---|", *rows]


def _line(row: Row) -> str:
    release = row.release
    said = release.reason.replace("|", "/").replace("\n", " ")
    cells = (
        row.scenario.name,
        release.state,
        "yes" if row.well else "**no**",
        release.ended - release.began,
        release.served["canary"].requests,
        len(row.traffic.noted),
        len(row.traffic.failed),
        said if len(said) < 260 else f"{said[:257]}...",
    )
    return f"| {' | '.join(map(str, cells))} |"


def write(rows: list[Row]) -> None:
    """Put the lines into the document's table; those of other releases stay."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    table, after = rest.split(_END)
    told = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}
    told |= {row.scenario.name: _line(row) for row in rows}
    _DOCUMENT.write_text("\n".join([f"{before}{_BEGIN}", "", *lines(told), "", f"{_END}{after}"]), encoding="utf-8")


def main(names: list[str]) -> int:
    """Play the scenarios of these names, or all; the status says whether all ended as they have to."""
    chosen = [scenario for scenario in SCENARIOS if not names or scenario.name in names]
    rows = []
    with cloud_up() as cloud:
        for scenario in chosen:
            sys.stdout.write(f"\n{scenario.name}\n")
            rows.append(play(cloud, scenario))
            sys.stdout.write(f"{_line(rows[-1])}\n")
            sys.stdout.flush()
            write(rows)
    return 0 if all(row.well for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
