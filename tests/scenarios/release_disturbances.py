"""What happens in the middle of a release; each says what came of it, if that isn't the release's own end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.scenarios.release_cloud import DEADLINE_S, Cloud
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.scenarios.clone import Clone

Cli = subprocess.Popen[str]


def kill_cli(cloud: Cloud, cli: Cli) -> None:
    """Kill the command and the CDK CLI that it runs."""
    cloud.await_release(_shifted)
    for process in (*descendants(cli.pid), cli.pid):
        os.kill(process, signal.SIGKILL)


def kill_workers(cloud: Cloud, _cli: Cli) -> None:
    """Kill all processes of functions: the controller's own, and the API's."""
    cloud.await_release(_shifted)
    for process in descendants(cloud.state["pids"]["engine"]):
        os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    """List a process's children, and theirs."""
    found = subprocess.run(["pgrep", "-P", str(process)], stdout=subprocess.PIPE, text=True, check=False)  # to look
    children = [int(child) for child in found.stdout.split()]
    return [*children, *(below for child in children for below in descendants(child))]


def kill_redis(cloud: Cloud, _cli: Cli) -> None:
    """Kill Redis, which is back, empty, at the next step."""
    cloud.await_release(_shifted)
    cloud.redis.kill()
    cloud.await_release(lambda release: release.percent > 10 or release.state != "running")
    cloud.redis.start()


def abort(cloud: Cloud, _cli: Cli) -> None:
    """Abort by hand."""
    cloud.await_release(_shifted)
    cloud.clone.tidegate("release", "--abort")


def abort_while_asked(cloud: Cloud, _cli: Cli) -> str:
    """Abort while the new version is asked, and doesn't answer."""
    asked = cloud.await_release(lambda release: release.phase == "asking the new version" or release.state != "running")
    assert asked.state == "running", asked
    began = time.monotonic()
    cloud.clone.tidegate("release", "--abort")
    cloud.await_release(lambda release: release.state != "running")
    return f"It took {time.monotonic() - began:.0f} s to be heard."


def roll_back_by_hand(cloud: Cloud, _cli: Cli) -> str:
    """Put the version before the one in force there, while another one is released."""
    cloud.await_release(_shifted)
    status, printed = cloud.clone.tidegate("rollback")
    assert status == 0, printed
    return "By hand: " + " ".join(printed.split("\n")).strip()


def move_on_the_console(cloud: Cloud, _cli: Cli) -> str:
    """Move both aliases to the version before, without a word to the release, before its next step."""
    cloud.await_release(_shifted)
    (before,) = cloud.latest().promotions[-2:-1]
    cloud.put(before)
    return f"Moved to {', '.join(before.values())}."


def go_on(cloud: Cloud, _cli: Cli) -> str:
    """Let a release that holds go on."""
    held = cloud.await_release(_holds)
    assert held.state == "running", held
    began = time.monotonic()
    cloud.clone.tidegate("release", "--go-on")
    cloud.await_release(lambda release: release.percent == 100 or release.state != "running")
    return f"It held at {held.percent:g} %, and went on {time.monotonic() - began:.0f} s after it was told to."


def release_again(cloud: Cloud, _cli: Cli) -> str:
    """Release a second time, from a clone and a state folder of its own, and past CloudFormation."""
    cloud.await_release(_shifted)
    by_machine = _machine_again(cloud)
    folder = cloud.clone.root.parent / f"second-{uuid.uuid4().hex[:8]}"
    second = Clone.at(folder, {**cloud.clone.environ, "TIDEGATE_STATE_DIR": f"{folder}-state"})
    second.append("functions/api/checkout.py", "# a second release")
    status, printed = second.tidegate("up", "--endpoint", cloud.state["endpoint_url"], timeout_s=DEADLINE_S)
    running = cloud.latest().state == "running"
    assert status, printed
    refused = [
        line.strip() for line in printed.splitlines() if "Another release" in line or "cannot be updated" in line
    ]
    by_stack = refused[-1] if refused else printed.strip().splitlines()[-1]
    return f"The second, by a clone{'' if running else ' (late)'}: {by_stack}. By the machine alone: {by_machine}"


def _machine_again(cloud: Cloud) -> str:
    """Start the machine with the order of the one that runs, as another request; return what CloudFormation is told."""
    with closing(cloud.client("stepfunctions")) as machines, _answers() as answers:
        arn = cloud.state["outputs"]["ReleaseMachine"]
        (running,) = machines.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
        order = json.loads(machines.describe_execution(executionArn=running["executionArn"])["input"])
        order |= {"id": f"second-{uuid.uuid4().hex}", "answer": {**order["answer"], "ResponseURL": answers.url}}
        machines.start_execution(stateMachineArn=arn, name=order["id"], input=json.dumps(order))
        assert answers.came.wait(DEADLINE_S)
    return f"{answers.told['Status']}: {answers.told['Reason']}"


class _Answers:
    """What was put at `url`."""

    url: str

    def __init__(self) -> None:
        self.came = threading.Event()
        self.told: dict[str, str] = {}


@contextmanager
def _answers() -> Iterator[_Answers]:
    """Stand where CloudFormation waits for the answer."""
    answers = _Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:  # the standard library's name
            answers.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            answers.came.set()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield answers
        finally:
            server.shutdown()


def kill_migration(cloud: Cloud, _cli: Cli) -> str:
    """Kill the process of `migrate` when a half of the items is done."""
    total = len(cloud.orders())
    began = time.monotonic()
    while (done := _written(cloud)) < total / 2:
        if time.monotonic() - began > DEADLINE_S:
            raise TimeoutError(f"only {done} of {total}")
        time.sleep(0.5)
    killed = [process for process in descendants(cloud.state["pids"]["engine"]) if _migrates(process)]
    for process in killed:
        os.kill(process, signal.SIGKILL)
    cloud.await_release(lambda release: release.phase not in {"locked", "migrating"})
    return f"Killed {len(killed)} process after {done} of {total} orders; expanded in {time.monotonic() - began:.0f} s."


def _written(cloud: Cloud) -> int:
    entry = cloud.journal().entries.get(2)
    return entry.progress.written if entry and entry.state == "expanding" else 0


def _migrates(process: int) -> bool:
    """Whether it is a process of the function `migrate`: its environment says so."""
    try:
        return b"AWS_LAMBDA_FUNCTION_NAME=Tidegate-local-migrate\0" in Path(f"/proc/{process}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended, before its file was opened or after


def _shifted(release: ReleaseItem) -> bool:
    return release.percent > 0 or release.state != "running"


def _holds(release: ReleaseItem) -> bool:
    return release.phase == "holding for a person" or release.state != "running"
