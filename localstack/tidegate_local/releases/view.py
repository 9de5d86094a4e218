"""A release on the screen: a live table on a terminal, and a line for each change everywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from tidegate_local.releases.item import ReleaseItem, Served

# Without a terminal: so long without a change, then a line all the same.
_REMIND_S = 15.0


@dataclass
class ReleaseView:
    """Shows what is told by `show`; in a log, one line each time that something changed."""

    console: Console
    _live: Live | None = None
    _said: tuple[object, ...] = ()
    _said_at: float = field(default=0.0)

    @contextmanager
    def opened(self) -> Iterator["ReleaseView"]:
        """Keep the table on the screen during the block."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(console=self.console, refresh_per_second=4) as self._live:
            yield self

    def show(self, release: ReleaseItem) -> None:
        """Show a release as it is now."""
        if self._live:
            self._live.update(table(release))
            return
        what = (release.token, release.phase, release.percent, release.state)
        if what != self._said or time.monotonic() - self._said_at > _REMIND_S:
            self._said, self._said_at = what, time.monotonic()
            self.console.print(line(release), soft_wrap=True, highlight=False, markup=False)


def line(release: ReleaseItem) -> str:
    """Say in one line how it stands."""
    seconds = (release.ended or time.time()) - release.began
    where = f"step {release.step + 1}/{len(release.steps)}, " if release.steps and release.percent else ""
    served = "; ".join(f"{who} {_served(of)}" for who, of in release.served.items() if of.requests)
    return f"release {release.token} {seconds:4.0f} s  {release.phase} ({where}canary {release.percent:g} %)" + (
        f"  {served}" if served else ""
    )


def table(release: ReleaseItem) -> Table:
    """Draw both versions side by side, and the steps above them."""
    drawn = Table("", "version", "weight", "requests", "failed", "p95", title=_title(release), title_justify="left")
    for who, versions, weight in (
        ("stable", release.stable, 100 - release.percent),
        ("canary", release.canary, release.percent),
    ):
        served = release.served[who]
        drawn.add_row(
            who,
            escape(", ".join(f"{name.rsplit('-', 1)[-1]} {version}" for name, version in versions.items()) or "none"),
            f"{weight:g} %",
            f"{served.requests}",
            f"[red]{served.failed}[/red]" if served.failed else "0",
            _p95(served),
        )
    return drawn


def _title(release: ReleaseItem) -> str:
    steps = [*release.steps, 100.0]
    at = len(release.steps) if release.ended_well else release.step
    shown = " - ".join(f"[bold]{weight:g} %[/bold]" if i == at else f"{weight:g} %" for i, weight in enumerate(steps))
    return f"Release {release.token}: {escape(release.phase)}   {shown}"


def _served(served: Served) -> str:
    return f"{served.requests} requests, {served.failed} failed, p95 {_p95(served)}"


def _p95(served: Served) -> str:
    return "-" if served.p95_ms is None else f"{served.p95_ms:.3g} ms"
