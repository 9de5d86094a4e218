"""Steps with their times: a spinner on a terminal, plain lines everywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from tidegate_local import interruption


@dataclass
class Step:
    """One step at work; `note` is shown behind its name when it is done."""

    name: str
    note: str = ""


@dataclass(frozen=True)
class Steps:
    """Shows the steps of a command, unless it is to be quiet; `seconds` collects how long each took."""

    console: Console = field(default_factory=Console)
    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a step while its block runs, and its time when it ends; a failed one is marked."""
        at_work, began = Step(name), time.perf_counter()
        spinner = self.console.status(f"{name} …") if self.console.is_terminal and not self.quiet else nullcontext()
        try:
            with spinner:
                interruption.check()
                yield at_work
                interruption.check()
        except BaseException:
            self._show("[red]✗[/red]", at_work, time.perf_counter() - began)
            raise
        self._show("[green]✓[/green]", at_work, time.perf_counter() - began)

    def say(self, line: str) -> None:
        """Show a line of its own, for a step that will take long."""
        if not self.quiet:
            self.console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)

    def _show(self, mark: str, step: Step, took: float) -> None:
        self.seconds[step.name] = took
        if self.quiet:
            return
        note = f"  [dim]{escape(step.note)}[/dim]" if step.note else ""
        self.console.print(f"{mark} {step.name:<12} {took:6.1f} s{note}", soft_wrap=True, highlight=False)
