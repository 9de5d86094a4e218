"""The structured fields that Tidegate sends: lists of strings whose parameters are integers or strings (RFC 9651).

`http_sf` serialises rarer values; it isn't used for all, because its import costs a cold start more than reading the
route table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Parameters = Mapping[str, int | str]

# The range of a plain String and an Integer; `http_sf` handles other values, or raises.
_PLAIN = re.compile(r"[ -~]*")
_LARGEST = 999_999_999_999_999


def listed(items: Sequence[tuple[str, Parameters]]) -> bytes:
    """Write a List of Strings with parameters.

    Args:
        items: each string, and its parameters by their keys, which must be valid keys of the RFC.

    Raises:
        ValueError: a value can't be written as a structured field.
    """
    values = [*(text for text, _ in items), *(value for _, parameters in items for value in parameters.values())]
    if not all(map(_is_plain, values)):
        import http_sf  # noqa: PLC0415  as this module's docstring says

        rarer: list[Any] = [(text, dict(parameters)) for text, parameters in items]
        return http_sf.ser(rarer).encode()
    return ", ".join(_item(text, parameters) for text, parameters in items).encode()


def _is_plain(value: int | str) -> bool:
    if isinstance(value, str):
        return _PLAIN.fullmatch(value) is not None
    return type(value) is int and abs(value) <= _LARGEST  # a bool is serialised differently


def _item(text: str, parameters: Parameters) -> str:
    return _bare(text) + "".join(f";{key}={_bare(value)}" for key, value in parameters.items())


def _bare(value: int | str) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
