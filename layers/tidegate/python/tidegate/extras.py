"""Packages that only some uses need; each missing one is named at start, with the line that installs it."""

from __future__ import annotations

from importlib.util import find_spec

from tidegate.errors import ConfigurationError


def need(module: str, extra: str, wanted_by: str) -> None:
    """Check that an optional package is installed.

    Args:
        module: its top module.
        extra: the extra of this distribution that brings it.
        wanted_by: the setting or the call that needs it.

    Raises:
        ConfigurationError: it isn't there.
    """
    if find_spec(module) is None:
        raise ConfigurationError(
            wanted_by, f"it needs {module}, which isn't installed; write pip install 'tidegate[{extra}]'"
        )
