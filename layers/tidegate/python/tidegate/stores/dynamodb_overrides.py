"""The documented import path for changing limits at run time; see `tidegate.limits.overrides`."""

from __future__ import annotations

from tidegate.limits.overrides import partition_key, read_overrides, write_overrides

__all__ = ["partition_key", "read_overrides", "write_overrides"]
