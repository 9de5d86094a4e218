"""Cache-Control, parsed by RFC 9111, 5.2 and RFC 9110, 5.6: text within quotes is no directive."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.web.problems import Headers

# A larger number means "for ever" (RFC 9111, 1.2.2).
LONGEST_S = 2**31
_PART = re.compile(r'\s*([^\s,="]*)((?:"(?:[^"\\]|\\.)*"|[^,])*)(?:,|$)', re.DOTALL)
_SECONDS = re.compile(r'=(?:([0-9]+)|"([0-9]+)")\s*', re.ASCII)


class Directives:
    """The Cache-Control directives of a response, from all its lines.

    Args:
        headers: the response's fields.
    """

    __slots__ = ("_arguments",)

    def __init__(self, headers: Headers) -> None:
        self._arguments: dict[str, list[str]] = {}
        for name, value in headers:
            if name.lower() == b"cache-control":
                for directive, argument in _parts(value.decode("latin-1")):
                    self._arguments.setdefault(directive, []).append(argument)

    def __contains__(self, directive: str) -> bool:
        """Whether a directive is there, with any argument or none."""
        return directive in self._arguments

    def seconds(self, directive: str) -> int | None:
        """Return a directive's seconds: the least of several, 0 if one is malformed, None if it isn't there."""
        arguments = self._arguments.get(directive)
        return None if arguments is None else min(map(_seconds, arguments))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text) and (found := _PART.match(text, at)):
        at = max(found.end(), at + 1)
        if found[1]:
            yield found[1].lower(), found[2]


def _seconds(argument: str) -> int:
    found = _SECONDS.fullmatch(argument)
    if found is None:
        return 0
    digits = (found[1] or found[2]).lstrip("0") or "0"
    # Python refuses to read numbers of thousands of digits.
    return LONGEST_S if len(digits) > len(str(LONGEST_S)) else min(LONGEST_S, int(digits))
