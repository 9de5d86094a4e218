"""The namespace, which keeps the state of services apart that share a store.

State must outlive processes and releases, so a namespace must not change with them. Two functions may be one service,
such as an API and its worker, so it is made of the application's title rather than of the function's name.
"""

from __future__ import annotations

import hashlib
import re

# The title of an application without a title of its own.
_FASTAPIS_OWN = "FastAPI"
_READABLE = 21
_DIGITS = 10


class _Found(str):
    """A namespace that wasn't chosen, even if a chosen one has the same text."""

    __slots__ = ()


UNNAMED: str = _Found("default")


def is_chosen(namespace: str) -> bool:
    """Return whether a namespace was chosen in the settings."""
    return not isinstance(namespace, _Found)


def of_what_is_named(namespace: str) -> str:
    """Return the namespace for state that is also kept by function: the chosen one, else one that is always the same.

    So a reader outside of the application, such as the judge of a release, needn't know the application's title.
    """
    return namespace if is_chosen(namespace) else UNNAMED


def service_of(title: str, function: str | None) -> str | None:
    """Return a service's name: its application's title, else its function's name; None if it has neither."""
    title = " ".join(title.split())
    return title if title and title != _FASTAPIS_OWN else function


def namespace_of(service: str) -> str:
    """Make a namespace of a service's name: its beginning, to be readable in keys, and a digest of the whole."""
    readable = re.sub(r"[^a-z0-9]+", "-", service.lower(), flags=re.ASCII).strip("-")[:_READABLE].rstrip("-")
    digest = hashlib.blake2b(service.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return _Found(f"{readable}-{digest}" if readable else digest)
