"""JSON files that are whole or absent, and readable by their owner alone."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_atomically(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step, with mode 0600 (keys are in it)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as handle:
            json.dump(content, handle, indent=2, sort_keys=True)
            handle.write("\n")
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
