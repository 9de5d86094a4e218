"""`tidegate --version`."""

from importlib.metadata import PackageNotFoundError, version

import typer

_PACKAGES = ("tidegate", "tidegate-local")


def print_versions(wanted: bool) -> None:  # noqa: FBT001  typer gives the option's value
    """Print the versions of the packages and end, if it is wanted."""
    if not wanted:
        return
    for name in _PACKAGES:
        typer.echo(f"{name} {_version(name)}")
    raise typer.Exit


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
