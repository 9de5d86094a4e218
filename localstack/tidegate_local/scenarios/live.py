"""A scenario on the screen: rates, latency, store, breaker and weights as they are now; in a log, plain lines."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tidegate_local.scenarios.answers import WHO, Answer
from tidegate_local.scenarios.hearing import Hearing
from tidegate_local.scenarios.play import Deed
from tidegate_local.scenarios.text import milliseconds, shares
from tidegate_local.state import LocalState
from tidegate_local.telemetry.figures import percentile
from tidegate_local.telemetry.reader import LineReader

_LAST_S = 3.0
_WIDTH = 40
_STYLES = {"failed": "red", "nobody": "red", "shedding": "dark_orange", "edge": "yellow", "limits": "yellow"}


@dataclass(frozen=True)
class Now:
    """What clients see at this moment: answers a second by who gave them, and how long they take."""

    per_s: Mapping[str, float]
    p50_ms: float | None
    p99_ms: float | None


def now(answers: Sequence[Answer], at: float) -> Now:
    """Sum up the last seconds before a moment (epoch seconds)."""
    recent = [answer for answer in reversed(answers[-2000:]) if at - _LAST_S <= answer.ended_at]
    counts = Counter(answer.by for answer in recent)
    took_ms = [answer.took_ms for answer in recent]
    return Now(
        {who: counts[who] / _LAST_S for who in WHO if counts[who]},
        percentile(took_ms, 50),
        percentile(took_ms, 99),
    )


@dataclass
class LiveView:
    """Shows a play; in a log, a line for each phase and deed."""

    console: Console
    title: str
    note: str = ""
    _hearing: Hearing | None = None
    _deeds: list[Deed] = field(default_factory=list)
    _live: Live | None = None
    _progress: Progress = field(
        default_factory=lambda: Progress(TextColumn("{task.description}"), BarColumn(_WIDTH), TimeElapsedColumn())
    )
    _answers: Sequence[Answer] = ()

    @contextmanager
    def opened(self, state: LocalState) -> Iterator["LiveView"]:
        """Keep the picture on the screen during the block."""
        with LineReader.opened(state) as reader:
            self._hearing = Hearing(reader, _LAST_S)
            if not self.console.is_terminal:
                self.console.print(self.title, highlight=False)
                yield self
                return
            with Live(console=self.console, refresh_per_second=4) as self._live:
                yield self
            self._live = None

    def began(self, phase: str, seconds: float) -> None:
        """Begin a phase's bar; in a log, say what the one before was like."""
        for task in self._progress.tasks:
            self._progress.update(task.id, completed=task.total, visible=False)
        self._progress.add_task(phase, total=seconds)
        if not self._live:
            self._say(f"{phase}, {seconds:.0f} s; now {_line(now(self._answers, time.time()), self._stores())}")

    def did(self, deed: Deed) -> None:
        """Show what was done."""
        self._deeds.append(deed)
        if not self._live:
            self._say(deed.what)

    def tell(self, note: str) -> None:
        """Show what else is so; in a log, when it changes."""
        if note != self.note and not self._live:
            self._say(note)
        self.note = note

    def look(self, answers: Sequence[Answer]) -> None:
        """Show this moment."""
        self._answers = answers
        for task in self._progress.tasks[-1:]:
            self._progress.update(task.id, completed=task.elapsed)
        if self._live:
            self._live.update(self._picture(now(answers, time.time())))
        else:
            self._stores()

    def _picture(self, seen: Now) -> Group:
        deeds = [f"[dim]{_clock(deed.at)}[/dim]  {escape(deed.what)}" for deed in self._deeds[-6:]]
        return Group(f"[bold]{escape(self.title)}[/bold]", self._progress, _rates(seen), self._states(seen), *deeds)

    def _states(self, seen: Now) -> str:
        stores, breakers = self._stores(), self._hearing.breakers if self._hearing else {}
        states = {
            "p50": milliseconds(seen.p50_ms),
            "p99": milliseconds(seen.p99_ms),
            "decided by": stores or "nobody",
            "breakers": ", ".join(f"{store} {state}" for store, state in breakers.items()),
            "": self.note,
        }
        return "   ".join(f"{name} [bold]{escape(value)}[/bold]" for name, value in states.items() if value)

    def _stores(self) -> str:
        if self._hearing is None:
            return ""
        return shares(self._hearing.decided(time.time()).by_store)

    def _say(self, line: str) -> None:
        self.console.print(f"{_clock(time.time())}  {line}", soft_wrap=True, highlight=False, markup=False)


def _rates(seen: Now) -> Table:
    highest = max(seen.per_s.values(), default=1.0)
    table = Table("answered by", "per second", "", title_justify="left")
    for who in WHO:
        rate = seen.per_s.get(who, 0.0)
        bar = "█" * round(_WIDTH * rate / highest)
        table.add_row(who, f"{rate:.1f}", f"[{_STYLES.get(who, 'cyan')}]{bar}[/]")
    return table


def _line(seen: Now, stores: str) -> str:
    rates = ", ".join(f"{who} {rate:.1f}/s" for who, rate in seen.per_s.items()) or "no answers yet"
    return f"{rates}; p99 {milliseconds(seen.p99_ms)}; decided by {stores or 'nobody'}"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
