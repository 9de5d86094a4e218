"""What `tidegate release` shows."""

import io
from dataclasses import replace

from rich.console import Console

from tidegate_local.releases.item import ReleaseItem, Served
from tidegate_local.releases.place import local_place
from tidegate_local.releases.view import ReleaseView, line, table
from tidegate_local.state import LocalState

RELEASE = ReleaseItem(
    token=4,
    state="running",
    phase="watching",
    stable={"Tidegate-local-api": "6", "Tidegate-local-worker": "5"},
    canary={"Tidegate-local-api": "7", "Tidegate-local-worker": "6"},
    steps=(10, 50),
    step=1,
    percent=50,
    began=1_000,
    ended=1_012,
    reason="",
    served={"stable": Served(90, 0, 12.5), "canary": Served(88, 9, None)},
    promotions=(),
)


def shown(*releases, terminal=False):
    written = io.StringIO()
    view = ReleaseView(Console(file=written, force_terminal=terminal, width=100))
    with view.opened():
        for release in releases:
            view.show(release)
    return written.getvalue()


def test_whoever_watches_for_long_makes_one_client_of_each_service():
    state = LocalState("http://api", "http://127.0.0.1:1", "redis://", "embedded", {}, {}, {}, "", "", "")
    with local_place(state) as place:
        assert place.client("dynamodb") is place.client("dynamodb")
        assert place.client("dynamodb") is not place.client("lambda")


def test_a_line_says_it_all():
    assert line(RELEASE) == (
        "release 4   12 s  watching (step 2/2, canary 50 %)  "
        "stable 90 requests, 0 failed, p95 12.5 ms; canary 88 requests, 9 failed, p95 -"
    )


def test_a_log_has_a_line_for_each_change():
    same = replace(RELEASE, served={"stable": Served(91), "canary": Served(89)})
    printed = shown(RELEASE, same, replace(RELEASE, phase="rolling back", percent=0)).splitlines()
    assert [text.split("s  ")[1].split(" (")[0] for text in printed] == ["watching", "rolling back"]


def test_a_terminal_has_a_table():
    printed = shown(RELEASE, terminal=True)
    for text in ("Release 4: watching", "api 6, worker 5", "api 7, worker 6", "50 %", "12.5 ms"):
        assert text in printed


def test_the_first_release_has_nothing_stable():
    console = Console(file=io.StringIO(), width=100)
    console.print(table(replace(RELEASE, stable={}, steps=())))
    assert "none" in console.file.getvalue()
