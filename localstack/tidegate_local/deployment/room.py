"""Whether a deploy failed for want of room: then CDK, the app and the engine each say something else about it."""

import shutil
from pathlib import Path

_MB = 1_000_000
# The assembly and the unpacked layers of one deploy.
NEEDED_BYTES = 64 * _MB


def lacking(folder: Path) -> str | None:
    """Say that the disk of a folder is full, or as good as; None: it isn't."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    if free >= NEEDED_BYTES:
        return None
    left, needed = free // _MB, NEEDED_BYTES // _MB
    return (
        f"The disk of {folder} has {left} MB left, and a deploy takes {needed} MB: make room on it, or name a folder "
        "on another one in TIDEGATE_STATE_DIR."
    )
