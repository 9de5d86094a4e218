"""Lines through Python's `logging`, where the application isn't on Lambda: its levels and handlers are obeyed.

`tidegate.requests` has a line for each request, `tidegate` all other lines. No handler is added and no level is set.
The members of a line are attributes of its record, for a formatter of the application's choice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

NAME = "tidegate"
_requests = logging.getLogger(f"{NAME}.requests")
_events = logging.getLogger(NAME)
# What a record has itself; `logging` refuses to overwrite it.
_TAKEN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime"}
# The caller of `StandardLog.warning`, not the method itself, is the record's place.
_CALLER = 3


class StandardLog:
    """Logs what isn't a request's line; the members are in the message, too, since most formatters show no others."""

    def info(self, message: str, *args: object, extra: Mapping[str, Any] | None = None) -> None:
        """Log at INFO."""
        self._log(logging.INFO, message, args, extra)

    def warning(
        self, message: str, *args: object, extra: Mapping[str, Any] | None = None, exc_info: Any = None
    ) -> None:
        """Log at WARNING."""
        self._log(logging.WARNING, message, args, extra, exc_info)

    def error(self, message: str, *args: object, extra: Mapping[str, Any] | None = None, exc_info: Any = None) -> None:
        """Log at ERROR."""
        self._log(logging.ERROR, message, args, extra, exc_info)

    def exception(self, message: str, *args: object, extra: Mapping[str, Any] | None = None) -> None:
        """Log at ERROR, with the exception that is handled."""
        self._log(logging.ERROR, message, args, extra, exc_info=True)

    def _log(
        self,
        level: int,
        message: str,
        args: tuple[object, ...],
        extra: Mapping[str, Any] | None,
        exc_info: Any = None,
    ) -> None:
        if not _events.isEnabledFor(level):
            return
        members = {name: value for name, value in (extra or {}).items() if not name.startswith("_")}
        shown = ", ".join(f"{name}={value}" for name, value in members.items())
        text = f"{message}: {shown.replace('%', '%%') if args else shown}" if shown else message
        _events.log(level, text, *args, extra=_attributes(members), exc_info=exc_info, stacklevel=_CALLER)


def wants_requests() -> bool:
    """Return whether a handler or the level lets the lines of requests through."""
    return _requests.isEnabledFor(logging.INFO)


def write_request(members: Mapping[str, Any]) -> None:
    """Log a request's line.

    Args:
        members: its members; `method`, `route`, `status` and `outcome` make its message.
    """
    place = write_request.__code__
    # Not `Logger.info`: that looks for its caller on the stack, and the place of all these lines is this one.
    record = _requests.makeRecord(
        _requests.name,
        logging.INFO,
        place.co_filename,
        place.co_firstlineno,
        "%(method)s %(route)s %(status)s %(outcome)s",
        (members,),
        None,
        place.co_name,
        _attributes(members),
    )
    _requests.handle(record)


def _attributes(members: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_" if name in _TAKEN else name: value for name, value in members.items()}
