"""The controller's archive: the function that leads releases."""

from pathlib import Path

from tidegate_build.shipped import shipped


def controller() -> Path:
    """Return the archive; raises ArchiveMissingError if there is none."""
    return shipped("controller.zip", "infra.controller_archive")
