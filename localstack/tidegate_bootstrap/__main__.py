"""Makes `.venv` ready from nothing but Python 3.11: `python3 -m tidegate_bootstrap`, run by every make target."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it is this Python that isn't known yet
    told = "Tidegate needs Python 3.11 or newer; this is {}.{} ({}).\nName a newer one: make PYTHON=python3.13 ..."
    sys.exit(told.format(*sys.version_info[:2], sys.executable))

# Below the question, because an older Python could not even read it.
from tidegate_bootstrap.environment import main

if __name__ == "__main__":
    main()
