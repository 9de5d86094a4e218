"""What the API's environments said in the last seconds: which stores decide, and which were lost."""

from contextlib import suppress

from tidegate_local.errors import LocalCloudError
from tidegate_local.scenarios import decisions
from tidegate_local.scenarios.decisions import Decided
from tidegate_local.telemetry.lines import WORKER, RequestLine, StoreChange
from tidegate_local.telemetry.reader import LineReader
from tidegate_local.telemetry.window import Window

_EVERY_S = 1.0


class Hearing:
    """Reads the lines at most once a second; `breakers` says of each store what its breaker did last, anywhere."""

    def __init__(self, reader: LineReader, span_s: float) -> None:
        self.breakers: dict[str, str] = {}
        self._reader = reader
        self._window = Window(span_s)
        self._read_at = 0.0

    def decided(self, now_s: float) -> Decided:
        """Return who decided lately; epoch seconds."""
        if now_s - self._read_at >= _EVERY_S:
            self._read_at = now_s
            with suppress(LocalCloudError):  # a busy engine is asked again in a moment
                self._read()
        return decisions.decided(self._window.lines(now_s))

    def _read(self) -> None:
        lines = self._reader.poll()
        self._window.add(line for line in lines if isinstance(line, RequestLine) and line.service != WORKER)
        for line in lines:
            if isinstance(line, StoreChange):
                self.breakers[line.store] = "closed" if line.state == "ready" else f"open ({line.fault})"
