"""Follows the sources: what functions ship is swapped when it is saved, and of all else is said that it can't be."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from watchfiles import watch

from tidegate_local.errors import BusyError
from tidegate_local.hot import swap
from tidegate_local.layout import StateFolder, exclusive, project_folder
from tidegate_local.state import LocalState

_WATCHED = ("functions", "layers", "infra")
# Beside them, and looked at instead: an editor that replaces a file is lost to whoever watches the file.
_FACTS = ("app.py", "cdk.json", "pyproject.toml", "uv.lock")
_DEBOUNCE_MS, _STEP_MS, _LOOK_EVERY_MS = 400, 25, 1000
_AN_HOUR_S = 3600.0
_AT_WORK = "at work on this cloud"
_FOR_GOOD = "a release (`tidegate release`) puts it in force for good"


@dataclass(frozen=True)
class Follower:
    """Swaps what is saved into the cloud of a state folder.

    `sentence` says an error that is to be expected, None: it isn't one. `root` is where the sources are.
    """

    folder: StateFolder
    console: Console
    sentence: Callable[[BaseException], str | None]
    root: Path = field(default_factory=project_folder)

    def follow(self) -> None:
        """Swap until an interrupt; begins with what differs from what is deployed.

        Raises:
            StateError: the cloud is not up.
        """
        state = LocalState.require(self.folder.state_file)
        live = swap.parts(state)
        self._say(
            f"Watching functions/ and layers/tidegate/: what is saved answers at {state.api_url}. Ctrl-C ends it."
        )
        self._swap(time.monotonic())
        places = [self.root / name for name in _WATCHED if (self.root / name).is_dir()]
        facts, is_first = _facts(self.root), True
        following = watch(
            *places, debounce=_DEBOUNCE_MS, step=_STEP_MS, rust_timeout=_LOOK_EVERY_MS, yield_on_timeout=True
        )
        for changes in following:
            began, now = time.monotonic(), _facts(self.root)
            paths = {Path(path).relative_to(self.root) for _, path in changes}
            paths |= {Path(name) for name in _FACTS if now[name] != facts[name]}
            facts = now
            swappable = {path for path in paths if _is_swappable(path, live)}
            if others := sorted(map(str, paths - swappable)):
                self._say(f"{_listed(others)} changed, which can't be swapped: `make up` deploys it.", "yellow")
            if swappable or is_first:  # what was saved while the watching began is seen the first time, too
                self._swap(began)
            is_first = False

    def _swap(self, began: float) -> None:
        """Swap under the cloud's lock, and say how it went; whatever fails, the next save is another chance."""
        try:
            try:
                self._swap_locked(began, wait_s=0)
            except BusyError:
                self._say("Another tidegate command is at work on this cloud: swapped when it ends.")
                self._swap_locked(None, wait_s=_AN_HOUR_S)
        except Exception as error:
            said = self.sentence(error)
            if said is None:
                raise
            self._say(f"refused: {said}", "red")

    def _swap_locked(self, began: float | None, wait_s: float) -> None:
        with exclusive(self.folder.path / "lock", _AT_WORK, wait_s=wait_s):
            begun = time.monotonic() if began is None else began
            for swapped in swap.swap(self.folder, LocalState.require(self.folder.state_file), self.root):
                took = f"{time.monotonic() - begun:.1f} s"
                if swapped.as_deployed:
                    self._say(f"{swapped.function} code is as it was deployed again, after {took}", "green")
                    continue
                files = f"{len(swapped.files)} file{'s' if len(swapped.files) > 1 else ''}"
                self._say(f"hot: {swapped.function} code of {files} swapped in {took}; {_FOR_GOOD}", "green")

    def _say(self, line: str, style: str | None = None) -> None:
        self.console.print(escape(line), style=style, soft_wrap=True, highlight=False)


def _is_swappable(path: Path, live: Iterable[str]) -> bool:
    """Whether a file is a live function's or the library's."""
    folders = [Path("functions", name) for name in live]
    inside = any(path.is_relative_to(place) for place in [*folders, Path("layers", "tidegate")])
    return inside or path == Path("functions", "__init__.py")


def _facts(root: Path) -> dict[str, tuple[int, int] | None]:
    return {name: _stamp(root / name) for name in _FACTS}


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _listed(names: list[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
