"""The `tidegate new` command."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate_local.new.making import commit, make
from tidegate_local.new.project import AwsSettings, Project


def new(
    name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens, such as book-store.")],
    *,
    into: Annotated[Path | None, typer.Option(help="An empty folder, or one to be made; default: ./NAME.")] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(help="A route of your own beside the sample's: `books` is /v1/books. Repeatable."),
    ] = None,
    memory_mb: Annotated[int | None, typer.Option(help="A function's memory on AWS.")] = None,
    timeout_s: Annotated[int | None, typer.Option(help="How long a request may take on AWS, at most 29.")] = None,
    reserved_concurrency: Annotated[int | None, typer.Option(help="Environments at once on AWS.")] = None,
    git: Annotated[bool, typer.Option("--git", help="Make it a git repository with one commit.")] = False,
) -> None:
    """Make a project of your own from this one: its name, its routes, its settings, and tests that pass."""
    console = Console()
    project = Project.of(name, tuple(route or ()))
    folder = into or Path.cwd() / project.name
    make(project, AwsSettings(memory_mb, timeout_s, reserved_concurrency), folder)
    if git:
        commit(folder)
    told = f"{project.title} is in {folder}. Next:\n  cd {folder}\n  make test\n  make up"
    console.print(told, soft_wrap=True, highlight=False, markup=False)
