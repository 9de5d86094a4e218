"""The controller's archive: the function that leads releases."""

from pathlib import Path

from tidegate_cdk.archives import archive


def controller() -> Path:
    """Return the archive; raises ArchiveMissingError if there is none."""
    return archive("controller.zip", "infra.controller_archive")
