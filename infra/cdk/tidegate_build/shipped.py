"""What is built and a wheel has inside: archives for upload, locked packages. A checkout builds them when asked."""

import subprocess
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = Path(__file__).parents[3]


class ArchiveMissingError(RuntimeError):
    """The package was installed without a file that its wheel has, and it couldn't be built."""


def shipped(name: str, builder: str) -> Path:
    """Return a file by its name; `builder` is the module that builds it in a checkout, and prints where it is.

    Raises:
        ArchiveMissingError: there is none.
    """
    packed = _PACKAGE / name
    if packed.exists():
        return packed
    if not _CHECKOUT.joinpath(*builder.split(".")).with_suffix(".py").exists():
        raise ArchiveMissingError(f"{packed} is missing: install the package's wheel")
    built = subprocess.run(  # noqa: S603  our own modules
        [sys.executable, "-m", builder], cwd=_CHECKOUT, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise ArchiveMissingError(f"{name} can't be built:\n{built.stderr.strip()}")
    return Path(built.stdout.strip())
