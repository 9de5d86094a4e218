"""How every command ends that can't go on: one sentence, and the exit status that shells expect."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer
from rich.console import Console
from rich.markup import escape

from tidegate_local import interruption
from tidegate_local.cli import faults

EXIT_INTERRUPTED = 130


@contextmanager
def clear_errors() -> Iterator[None]:
    """End with a sentence instead of a traceback, and take SIGTERM and SIGHUP as Ctrl-C."""
    interruption.take()
    try:
        yield
    except KeyboardInterrupt as error:
        _say("Interrupted.")
        raise typer.Exit(EXIT_INTERRUPTED) from error
    except BrokenPipeError:
        # The reader of our output (head, say) has gone.
        sys.stderr.close()
        raise typer.Exit(0) from None
    except Exception as error:
        said = faults.sentence(error)
        if said is None:
            raise
        _say(f"[red]error:[/red] {escape(said)}")
        raise typer.Exit(1) from error


@contextmanager
def json_errors(*, wanted: bool) -> Iterator[None]:
    """Have whoever reads the output as JSON read an error, too: a document whose `error` is the sentence."""
    try:
        yield
    except Exception as error:
        said = faults.sentence(error)
        if wanted and said is not None:
            print(json.dumps({"error": said}))  # noqa: T201  for machines
        raise


def _say(line: str) -> None:
    with suppress(OSError):  # a terminal that was closed, a disk that is full
        Console(stderr=True).print(line, soft_wrap=True, highlight=False)
