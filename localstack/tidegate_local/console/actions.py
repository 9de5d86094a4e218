"""What the page's buttons do, one at a time and in the background, with what became of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from threading import Event, Lock, Thread
from typing import Any, Literal

from tidegate_local.errors import BusyError, LocalCloudError

_NOTES = 6
_JOINED_WITHIN_S = 15.0


@dataclass(frozen=True)
class Attempt:
    """A button that was pressed: how it stands, and what was said meanwhile; epoch seconds, 0: not ended."""

    name: str
    state: Literal["running", "done", "failed"]
    began_s: float
    ended_s: float = 0.0
    notes: tuple[str, ...] = ()


class Progress:
    """Handed to what runs: it tells how it goes, and is told when to stop."""

    def __init__(self, tell: Callable[[str], None], stop: Event) -> None:
        self.tell = tell
        self.stop = stop


@dataclass(frozen=True)
class Action:
    """A button: what it is called, what it does in a sentence, whether it is done in a moment, and the doing.

    `run` returns how it ended; a LocalCloudError says why it failed.
    """

    label: str
    about: str
    group: Literal["redis", "scenario"]
    run: Callable[[Progress], str]


class Actions:
    """The buttons by their names; `refusal` says why none may be pressed, None: they may."""

    def __init__(self, actions: Mapping[str, Action], refusal: Callable[[], str | None]) -> None:
        self._actions = actions
        self._refusal = refusal
        self._attempt: Attempt | None = None
        self._thread: Thread | None = None
        self._lock = Lock()
        self._stop = Event()

    def start(self, name: str) -> Attempt:
        """Begin what a button does, in the background.

        Raises:
            KeyError: there is no such button.
            BusyError: another one is at work.
            LocalCloudError: none may be pressed here.
        """
        action = self._actions[name]
        if refusal := self._refusal():
            raise LocalCloudError(refusal)
        with self._lock:
            if self._attempt and self._attempt.state == "running":
                raise BusyError(f"{self._actions[self._attempt.name].label} is still at work. Wait for its end.")
            self._attempt = Attempt(name, "running", time.time())
            self._thread = Thread(target=self._run, args=(action,), name=f"console-{name}", daemon=True)
            self._thread.start()
            return self._attempt

    def told(self) -> dict[str, Any]:
        """Return buttons and the latest attempt for the page."""
        buttons = [
            {"name": name, "label": action.label, "about": action.about, "group": action.group}
            for name, action in self._actions.items()
        ]
        with self._lock:
            attempt = asdict(self._attempt) if self._attempt else None
        return {"buttons": buttons, "attempt": attempt, "refusal": self._refusal()}

    def close(self) -> None:
        """End what runs, and wait for it: it puts away what it made."""
        self._stop.set()
        if self._thread:
            self._thread.join(_JOINED_WITHIN_S)

    def _run(self, action: Action) -> None:
        try:
            said, state = action.run(Progress(self._note, self._stop)), "done"
        except LocalCloudError as error:
            said, state = str(error), "failed"
        except Exception as error:  # noqa: BLE001 - the page is where it has to be said
            said, state = f"{type(error).__name__}: {error}", "failed"
        self._note(said, "done" if state == "done" else "failed")

    def _note(self, said: str, state: Literal["running", "done", "failed"] = "running") -> None:
        with self._lock:
            if self._attempt:
                ended_s = 0.0 if state == "running" else time.time()
                notes = (*self._attempt.notes, said)[-_NOTES:]
                self._attempt = replace(self._attempt, state=state, ended_s=ended_s, notes=notes)
