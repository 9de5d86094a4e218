"""What was before a release, and what is to be seen after it, for the sorts of releases that are played."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.scenarios import release_changes as changes
from tests.scenarios.migration import order_item
from tests.scenarios.release_changes import Change, edited, together
from tests.scenarios.release_cloud import DEADLINE_S, Cloud

_MANY = 50_000
LONG = ("--step-s", "60")


def fill(cloud: Cloud) -> None:
    """Put orders into the table, as code of the first schema wrote them."""
    table = cloud.state["outputs"]["OrdersTable"]
    items = [{"PutRequest": {"Item": order_item(serial)}} for serial in range(_MANY)]
    with closing(cloud.client("dynamodb")) as dynamodb, ThreadPoolExecutor(4) as pool:
        batches = [items[at : at + 25] for at in range(0, len(items), 25)]
        list(pool.map(lambda batch: dynamodb.batch_write_item(RequestItems={table: batch}), batches))


# Where it is, the version that was made ill on purpose is.
ILL = Path(tempfile.gettempdir()) / "tidegate-release-demo-is-ill"


def released(*changes: Change, options: tuple[str, ...] = ("--strategy", "all-at-once")) -> Callable[[Cloud], None]:
    """Release something well before."""

    def release(cloud: Cloud) -> None:
        together(*changes)(cloud.clone)
        status, printed = cloud.clone.tidegate("release", *options, timeout_s=DEADLINE_S)
        assert status == 0, printed

    return release


def fallen_ill(cloud: Cloud) -> None:
    """Have a version in force that has no products any more."""
    ILL.unlink(missing_ok=True)
    released(edited(changes.ILL_WHEN_TOLD.format(file=str(ILL)), changes.HANDLER))(cloud)
    ILL.touch()


def well_again(_: Cloud) -> str:
    """See to it that no version is ill any more."""
    ILL.unlink()
    return "The version before it had no products."


def given_up(text: str) -> Callable[[Cloud], None]:
    """Release something, and abort it."""

    def release(cloud: Cloud) -> None:
        edited(text)(cloud.clone)
        last = cloud.latest().token
        cli = cloud.clone.start("release", *LONG)
        cloud.await_release(lambda found: found.token > last and (found.percent > 0 or found.state != "running"))
        cloud.clone.tidegate("release", "--abort")
        printed, _ = cli.communicate(timeout=DEADLINE_S)
        assert "Aborted by hand." in printed, printed
        await_stack(cloud)

    return release


def await_stack(cloud: Cloud) -> None:
    """Wait until CloudFormation rests."""
    deadline = time.monotonic() + 60
    while not cloud.stack()[0].endswith("_COMPLETE") and time.monotonic() < deadline:
        time.sleep(0.2)


def back_by_hand(cloud: Cloud) -> None:
    """Release something that is well for programs, and go back from it."""
    released(edited(f"# only people see what is wrong with {cloud.latest().token}"))(cloud)
    status, printed = cloud.clone.tidegate("rollback")
    assert status == 0, printed


def at_latest(cloud: Cloud) -> None:
    """Leave an alias at no number."""
    cloud.put(dict.fromkeys(cloud.in_force(), "$LATEST"))


def without_alias(cloud: Cloud) -> None:
    """Delete the worker's alias: the API's would take API Gateway's permission with it."""
    with closing(cloud.client("lambda")) as functions:
        functions.delete_alias(FunctionName=cloud.state["outputs"]["WorkerName"], Name="live")


def taken_back_by_the_stack(cloud: Cloud) -> str:
    """See that the ledger says that the promotion didn't last."""
    entries = [json.loads(entry["S"]) for entry in cloud.ledger()["history"]["L"]]
    assert [entry["ended"] for entry in entries[-2:]] == ["promoted", "taken-back"], entries[-2:]
    return f"The stack's own way back: {entries[-1]['reason']}"


def noted_afterwards(cloud: Cloud) -> str:
    """See that what failed after the answer is noted."""
    deadline = time.monotonic() + 60
    while not (remarks := json.loads(cloud.ledger()["afterwards"]["S"])) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert remarks, "nothing was noted"
    return f"Afterwards: {' '.join(remarks)}"


def counted(kind: str) -> Callable[[Cloud], str]:
    """See that the judge had counted something of the canary's."""

    def seen(cloud: Cloud) -> str:
        canary = cloud.last_verdict()["canary"]
        assert canary[kind] > 0, canary
        return f"Counted of the canary's: {canary['requests']} requests, {canary[kind]} {kind.replace('_', ' ')}."

    return seen


def proven(cloud: Cloud) -> str:
    """See that the last step was proven."""
    verdict = cloud.last_verdict()
    assert verdict["outcome"] == "pass", verdict
    return f"Proven by {verdict['canary']['requests']} requests of the canary's."


def taken_back(cloud: Cloud) -> str:
    """See that no order has what the migrations brought, and that none of them is in force."""
    journal = cloud.journal()
    left = [item for item in cloud.orders() if item.keys() & {"channel", "warehouse"}]
    assert journal.schema == 1, journal
    assert not left, left[:3]
    states = ", ".join(f"{entry.name} {entry.state}" for number, entry in journal.entries.items() if number > 1)
    return f"No order has the new form; {states}."


def migrated(cloud: Cloud) -> str:
    """See that every order has what the migration brought."""
    orders, entry = cloud.orders(), cloud.journal().entries[2]
    assert len(orders) >= _MANY
    lacking = [item for item in orders if item["id"]["S"].startswith("old-") and "channel" not in item]
    assert not lacking, (len(lacking), lacking[:3])
    return f"All {_MANY} have the new form; {entry.progress.written} written in all."
