"""SnapStart: many environments begin as copies of one; each must be itself, and no connection is copied.

Source: "Handle uniqueness with Lambda SnapStart" and "Runtime hooks for Python", AWS Lambda developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.telemetry import logger

if TYPE_CHECKING:
    from tidegate.lifecycle import Lifecycle

# What AWS_LAMBDA_INITIALIZATION_TYPE says where a snapshot is made or restored.
SNAP_START = "snap-start"


def register(lifecycle: Lifecycle) -> None:
    """Close connections before the snapshot, and compose a new environment, with new names, after a restore."""
    try:
        from snapshot_restore_py import (  # noqa: PLC0415  of Lambda's runtime, from Python 3.12 on
            register_after_restore,
            register_before_snapshot,
        )
    except ImportError:
        logger().warning("no hooks for SnapStart: environments share their names; use Lambda's Python 3.12 or newer")
        return
    register_before_snapshot(lifecycle.close)
    register_after_restore(lifecycle.renew)
