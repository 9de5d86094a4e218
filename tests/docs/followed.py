"""A page, followed as a reader follows it: its files are written, its commands are typed, its output is compared.

A Python block with a title is a file. In a console block a line after `$` is a command, and what follows is its
output, in which `…` stands for anything: within a line for text, alone on a line for lines.
"""

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.harness.ports import free_port
from tests.harness.server_process import ServerProcess

_BLOCK = re.compile(
    r"^```(?P<language>python|console)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_PRINTED_PORT = "127.0.0.1:8000"
_START_DEADLINE_S = 30.0


@dataclass(frozen=True)
class Command:
    """A command and the output that the page shows."""

    line: str
    shown: tuple[str, ...]


def steps(page: Path) -> Iterator[tuple[str, str] | Command]:
    """What the page has its reader do, in order: files with their text, and commands."""
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == "python" and block["title"]:
            yield block["title"], block["text"]
        elif block["language"] == "console":
            for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
                line, *shown = part.rstrip("\n").split("\n")
                yield Command(line, tuple(shown))


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a page's output is what was printed."""
    lines = [r"(?:.*\n)*" if line == "…" else re.escape(line.rstrip()).replace("…", ".*") + "\n" for line in shown]
    text = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    return re.fullmatch("".join(lines), text) is not None


class Reader:
    """Follows one page in a folder of its own; a context manager that ends the server that the page has started."""

    def __init__(self, folder: Path) -> None:
        self.commands = 0
        self._folder = folder
        self._port = free_port()
        self._server: ServerProcess | None = None
        programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        self._env = {**os.environ, "PATH": programs, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_server()

    def follow(self, page: Path) -> None:
        for step in steps(page):
            if isinstance(step, Command):
                self._type(step)
            else:
                (self._folder / step[0]).write_text(step[1], encoding="utf-8")

    def _type(self, command: Command) -> None:
        self.commands += 1
        line = command.line.replace(_PRINTED_PORT, f"127.0.0.1:{self._port}")
        if line.startswith("pip install "):  # the environment has it: an index is no part of a test
            names = [re.split(r"[\[=]", name)[0] for name in line.removeprefix("pip install ").replace("'", "").split()]
            assert [name for name in names if importlib.util.find_spec(name) is None] == []
        elif "uvicorn " in line:
            self._serve(line)
        else:
            done = subprocess.run(
                ["/bin/sh", "-c", line],
                cwd=self._folder,
                env=self._env,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            printed = done.stdout + ("" if done.returncode == 0 else done.stderr)
            assert matches(command.shown, printed), f"$ {command.line}\n{printed}\n{self._log()}"

    def _serve(self, line: str) -> None:
        self._end_server()
        argv = ["/bin/sh", "-c", f"exec env {line} --port {self._port}"]
        self._server = ServerProcess(
            argv, log=self._folder / "server.log", env={**self._env, "PYTHONPATH": str(self._folder)}
        )
        # The files are found through PYTHONPATH, wherever the tests were started.
        self._server.launch()
        self._server.wait_until(self._listens, deadline_s=_START_DEADLINE_S)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=5):
            return True
        return False

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.kill()

    def _log(self) -> str:
        return self._server.log_tail() if self._server is not None else ""
