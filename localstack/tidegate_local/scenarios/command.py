"""`tidegate scenario redis-down | storm | release`: play, show, report, and say whether what was promised held."""

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tidegate_local import interruption
from tidegate_local.errors import ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.lifecycle.up import bring_up
from tidegate_local.progress import Steps
from tidegate_local.scenarios import chart, demo, redis_down, release, storm, text, writing
from tidegate_local.scenarios.demo import Demo
from tidegate_local.scenarios.faults import RedisFaults
from tidegate_local.scenarios.live import LiveView
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Report

_PLAYED: Mapping[str, Callable[[StateFolder, Play, Demo], Report]] = {
    redis_down.NAME: lambda folder, play, demo: redis_down.play(play, demo, RedisFaults(folder)),
    storm.NAME: storm.play,
    release.NAME: release.play,
}
NAMES = tuple(_PLAYED)


def run(names: list[str], docs: Path | None, console: Console) -> bool:
    """Play scenarios one after the other, on the cloud of the state folder; tells whether all promises held.

    Raises:
        LocalCloudError: there is no such scenario, or one can't be played; the message says what to do.
    """
    unknown = [name for name in names if name not in _PLAYED]
    if unknown or not names:
        raise ScenarioError(f"There is no scenario {', '.join(unknown) or 'of no name'}: take {' | '.join(NAMES)}.")
    own = demo.of_project()
    if not chart.can_draw():
        console.print("No picture will be drawn: matplotlib isn't installed.")
    folder = StateFolder.from_environ()
    held = [_play(name, folder, own, docs, console) for name in names]  # each of them, whatever the one before was like
    return all(held)


def _play(name: str, folder: StateFolder, own: Demo, docs: Path | None, console: Console) -> bool:
    state = bring_up(folder, steps=Steps(console))
    view = LiveView(console, f"tidegate scenario {name}")
    with view.opened(state):
        made = _PLAYED[name](folder, Play(state, view), own)
    files = writing.write(made, folder.path / "reports", docs)
    _tell(made, files, console)
    interruption.check()
    return made.held


def _tell(made: Report, files: list[Path], console: Console) -> None:
    console.print(f"\n[bold]{escape(made.question)}[/bold] {text.verdict(made)}.", highlight=False)
    for promise in made.promises:
        mark = "[green]✓[/green]" if promise.held else "[red]✗[/red]"
        console.print(
            f"{mark} {escape(promise.what)}: [dim]{escape(promise.seen)}[/dim]", soft_wrap=True, highlight=False
        )
    for file in files:
        console.print(f"Report: {file}", soft_wrap=True, highlight=False)
