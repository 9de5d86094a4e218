"""The commands `tidegate new`, `tidegate upgrade` and `tidegate wheels`."""

import re
import shlex
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate_local import toolchain
from tidegate_local.errors import ProjectError
from tidegate_local.layout import CHECKOUT, project_folder
from tidegate_local.new import upgrading
from tidegate_local.new.making import Project, make
from tidegate_local.new.wheels import PACKAGES, Wheels

_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?")


def new(
    name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens, such as book-store.")],
    *,
    into: Annotated[Path | None, typer.Option(help="An empty folder, or one to be made; default: ./NAME.")] = None,
    bare: Annotated[bool, typer.Option("--bare", help="One route, which is the default.")] = False,
    shop: Annotated[bool, typer.Option("--shop", help="The sample: a catalogue and orders, with tables.")] = False,
    wheels: Annotated[
        Path | None,
        typer.Option(help="The folder with Tidegate's wheels; default: those of this checkout, else an index's."),
    ] = None,
) -> None:
    """Make a project that depends on Tidegate's packages: an API, its tests, what is deployed, and a Makefile."""
    if bare and shop:
        raise typer.BadParameter("--bare and --shop exclude each other: give one of them")
    project = Project(name)
    folder = into or Path.cwd() / name
    with tempfile.TemporaryDirectory() as scratch:
        given = _wheels(wheels, Path(scratch))
        versions = given.versions if given else {package: version(package) for package in PACKAGES}
        made = make(project, "shop" if shop else "bare", folder, given, versions)
    there = shlex.quote(str(folder))
    told = f"{project.stack} is in {folder}: {len(made)} files. Next:\n  cd {there}\n  make test\n  make up"
    Console().print(told, soft_wrap=True, highlight=False, markup=False)


def upgrade(
    source: Annotated[str, typer.Argument(help="A folder of wheels, or a version on the index, such as 0.2.0.")],
) -> None:
    """Take later packages into the project, and say what changed; only its version lines and its wheels change."""
    project, console = project_folder(), Console()
    if Path(source).is_dir():
        done = upgrading.to_wheels(project, Path(source))
    elif _VERSION.fullmatch(source):
        done = upgrading.to_version(project, source)
    else:
        raise ProjectError(f"{source} is neither a folder of wheels nor a version: write one of them.")
    for package, (before, after) in done.versions.items():
        console.print(f"{package}: {before} → {after}", highlight=False, markup=False)
    if not done.versions:
        console.print("The project has these versions already.")
        return
    if done.changelog:
        console.print(f"\n{done.changelog}\n", soft_wrap=True, highlight=False, markup=False)
    console.print("Next: `make test`, which installs them, and `make release`.", highlight=False)


def wheels(
    *,
    out: Annotated[Path, typer.Option(help="The folder for the wheels; former ones of theirs are removed.")],
    under: Annotated[
        str | None, typer.Option("--version", help="Another version than the checkout's, such as 0.1.1.dev1.")
    ] = None,
) -> None:
    """Build the wheels of Tidegate's packages from this checkout."""
    uv = [str(toolchain.find_uv())]
    if under and not _VERSION.fullmatch(under):
        raise ProjectError(f"{under} is no version: write numbers with dots, such as 0.2.0 or 0.2.0.dev1.")
    built = Wheels.built_as(under, _checkout(), out, uv) if under else Wheels.built(_checkout(), out, uv)
    for file in built.files.values():
        print(file)  # noqa: T201 - for scripts


def _wheels(folder: Path | None, scratch: Path) -> Wheels | None:
    if folder:
        return Wheels.in_folder(folder)
    return Wheels.built(CHECKOUT, scratch, [str(toolchain.find_uv())]) if CHECKOUT else None


def _checkout() -> Path:
    if CHECKOUT is None:
        raise ProjectError("Wheels are built in a checkout of Tidegate: run this there, or take a release's wheels.")
    return CHECKOUT
