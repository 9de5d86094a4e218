"""Files and folders that are whole or absent."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """Yield where to make a folder, which isn't there yet; it takes the folder's place when the block has succeeded."""
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    yield draft
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
