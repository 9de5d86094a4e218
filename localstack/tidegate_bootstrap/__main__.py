"""Makes `.venv` ready from nothing but Python 3.11: `python3 -m tidegate_bootstrap`, run by every make target.

It finds or installs uv, picks the interpreter, and installs the locked packages. When nothing changed since the
last time it only compares a digest.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it is this Python that isn't known yet
    sys.exit(
        "Tidegate needs Python 3.11 or newer; this is {}.{} ({}).\nName a newer one: make PYTHON=python3.13 ...".format(
            *sys.version_info[:2], sys.executable
        )
    )

# Below the question, because an older Python could not even read these.
from pathlib import Path

from tidegate_bootstrap.environment import Environment
from tidegate_bootstrap.failure import BootstrapError


def main() -> None:
    """Make the environment of the repository that this file lies in."""
    try:
        Environment(Path(__file__).resolve().parents[2]).make_ready()
    except BootstrapError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
