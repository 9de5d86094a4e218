"""Archives that are ready to be uploaded: in the package, or built from the checkout that this is a part of."""

import subprocess
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = Path(__file__).parents[3]


class ArchiveMissingError(RuntimeError):
    """The package was installed without one of its archives, and it couldn't be built."""


def archive(name: str, builder: str) -> Path:
    """Return an archive by its name; `builder` is the module that builds it in a checkout.

    Raises:
        ArchiveMissingError: there is none.
    """
    shipped = _PACKAGE / name
    if shipped.exists():
        return shipped
    if not _CHECKOUT.joinpath(*builder.split(".")).with_suffix(".py").exists():
        raise ArchiveMissingError(f"{shipped} is missing: install the package's wheel")
    built = subprocess.run(  # noqa: S603  our own modules
        [sys.executable, "-m", builder], cwd=_CHECKOUT, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise ArchiveMissingError(f"{name} can't be built:\n{built.stderr.strip()}")
    return Path(built.stdout.strip())
