"""A copy of the checkout's sources, in which one file at a time is changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# Where imports begin, beside the root itself; as the installed packages of this workspace have it.
_ROOTS = (
    ".",
    "layers/tidegate/python",
    "infra/cdk",
    "localstack",
    "localstack/host_mode",
    "localstack/process_executor",
)
# Dotted names are environments, caches and git's.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "dist", "cdk.out")


class SourceTree:
    """A folder of sources.

    Args:
        folder: its root, in which pytest is started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def roots(self) -> list[str]:
        """Where imports begin, first of all."""
        return [str((self.folder / root).resolve()) for root in _ROOTS if (self.folder / root).is_dir()]

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """Give a file another text for a while."""
        path = self.folder / file
        former = path.read_text("utf-8")
        try:
            _write(path, text)
            yield
        finally:
            _write(path, former)


@contextmanager
def copied(checkout: Path = CHECKOUT) -> Iterator[SourceTree]:
    """Copy a checkout's sources to a scratch folder, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix="tidegate-mutation-") as scratch:
        folder = Path(scratch) / "tree"
        shutil.copytree(checkout, folder, ignore=_LEFT_OUT)
        yield SourceTree(folder)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    # Python knows bytecode by the source's size and second, which two texts may share.
    for cached in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        cached.unlink()
