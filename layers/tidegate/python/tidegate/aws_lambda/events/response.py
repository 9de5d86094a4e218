"""An ASGI response in the format of an event's sender.

REST APIs, and balancers whose target group has multi-value headers enabled, take `multiValueHeaders`. Payload 2.0 takes
one text for each name, and cookies apart. Other balancers take one value for each name, whose case doesn't matter.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tidegate.aws_lambda.events.kind import EventKind

# Media types that are sent as text. All others are sent in Base64, which a REST API without binary media types passes
# to the client undecoded.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml", "+json", "+xml")

_NONE = [""]


class Whole(NamedTuple):
    """A whole response.

    Attributes:
        status: the HTTP status.
        headers: the fields, in ASGI's form.
        body: the whole body.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


def written(answer: Whole, kind: EventKind, event: dict[str, Any]) -> dict[str, Any]:
    """Return a response in the format of the event's sender.

    Args:
        answer: the application's response.
        kind: the event's kind.
        event: the event.
    """
    many: dict[str, list[str]] = {}
    for name, value in answer.headers:
        many.setdefault(_text(name).lower(), []).append(_text(value))
    body, encoded = _body(answer.body, many)
    head: dict[str, Any] = {"statusCode": answer.status, "body": body, "isBase64Encoded": encoded}
    if kind == "http":
        cookies = many.pop("set-cookie", None)
        head["headers"] = {name: ",".join(values) for name, values in many.items()}
        if cookies:
            head["cookies"] = cookies
    elif kind == "rest":
        head["headers"] = {name: values[0] for name, values in many.items() if len(values) == 1}
        head["multiValueHeaders"] = {name: values for name, values in many.items() if len(values) > 1}
    elif "multiValueHeaders" in event:
        head["multiValueHeaders"] = many
    else:
        head["headers"] = {
            cased: value for name, values in many.items() for cased, value in zip(_casings(name), values, strict=False)
        }
    return head


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _casings(name: str) -> Iterator[str]:
    """Yield a name in different cases: the same name to HTTP, but different keys of an object."""
    yield name
    letters = [place for place, letter in enumerate(name) if letter.isalpha()]
    for choice in range(1, 1 << min(len(letters), 16)):
        raised = {place for bit, place in enumerate(letters) if choice >> bit & 1}
        yield "".join(letter.upper() if place in raised else letter for place, letter in enumerate(name))


def _body(body: bytes, fields: dict[str, list[str]]) -> tuple[str, bool]:
    if not body:
        return "", False
    if "content-encoding" not in fields and _is_text(fields.get("content-type", _NONE)[-1]):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(body).decode(), True


@lru_cache(maxsize=256)
def _is_text(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return any(mark in media_type for mark in _TEXT)
