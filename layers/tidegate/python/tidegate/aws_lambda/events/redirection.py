"""An application's redirection to the requested path with a slash more or less, led back below the root path.

At an API's own domain the path that the application sees lacks the stage, so the redirection would lead out of the API.
No other response of an application is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from tidegate.aws_lambda.events.response import Whole

_STATUS = 307  # Starlette's


def below_root(answer: Whole, scope: Mapping[str, Any]) -> Whole:
    """Return the response, with a redirection of that kind led below the root path.

    Args:
        answer: the application's response.
        scope: the request, whose path may lack the root path.
    """
    root, path = scope["root_path"], scope["path"]
    if answer.status != _STATUS or not root or path.startswith(root):
        return answer
    return answer._replace(headers=[(name, _moved(name, value, root, path)) for name, value in answer.headers])


def _moved(name: bytes, value: bytes, root: str, path: str) -> bytes:
    if name.lower() != b"location":
        return value
    parts = urlsplit(value.decode("latin-1"))
    other = path.rstrip("/") if path.endswith("/") else path + "/"
    if not parts.netloc or parts.path not in {other, quote(other)}:
        return value
    return parts._replace(path=quote(root) + parts.path).geturl().encode("latin-1")
