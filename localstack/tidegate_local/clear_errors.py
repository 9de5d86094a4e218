"""How a command ends that can't go on: its error's message, and the exit status that shells expect."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from tidegate_local import interruption
from tidegate_local.errors import LocalCloudError

_EXIT_INTERRUPTED = 130


@contextmanager
def clear_errors() -> Iterator[None]:
    """End with the error's message instead of its traceback, and take SIGTERM and SIGHUP as Ctrl-C."""
    interruption.take()
    console = Console(stderr=True)
    try:
        yield
    except LocalCloudError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        console.print("Interrupted.")
        raise typer.Exit(_EXIT_INTERRUPTED) from error
    except BrokenPipeError:
        # The reader of our output (head, say) has gone.
        sys.stderr.close()
        raise typer.Exit(0) from None
