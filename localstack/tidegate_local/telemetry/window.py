"""The requests of the last so many seconds. No I/O, and no clock: the caller says what time it is."""

from collections.abc import Iterable

from tidegate_local.telemetry.lines import RequestLine


class Window:
    """Keeps lines for `span_s` seconds; they may come in any order, and late."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._lines: list[RequestLine] = []

    def add(self, lines: Iterable[RequestLine]) -> None:
        """Take lines in."""
        self._lines.extend(lines)

    def lines(self, now_s: float, last_s: float | None = None) -> list[RequestLine]:
        """Return those of the last seconds (default: all that are kept) before now (epoch seconds); drop older ones."""
        kept_from_s = now_s - self.span_s
        self._lines = [line for line in self._lines if line.at_s > kept_from_s]
        from_s = kept_from_s if last_s is None else now_s - last_s
        return [line for line in self._lines if line.at_s > from_s]
