"""`tidegate layer`: the Lambda layers as archives, for those who deploy by other tools than CDK."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tidegate_build.layer_archives import layer_archives

app = typer.Typer(help="The Lambda layers as archives, for SAM, Serverless, Terraform or the console.")


class Architecture(StrEnum):
    """Lambda's names of its processors."""

    ARM64 = "arm64"
    X86_64 = "x86_64"


@app.callback()
def group() -> None:
    """Keep `build` a word of its own."""


@app.command(epilog="Example: tidegate layer build --arch x86_64 --into build/layers")
def build(
    *,
    arch: Annotated[Architecture, typer.Option(help="The functions' architecture.")] = Architecture.ARM64,
    into: Annotated[Path, typer.Option(help="The folder for the archives.")] = Path("dist"),
) -> None:
    """Build the library's layer and that of its dependencies, and print where their archives are."""
    for archive in layer_archives(arch.value, into.resolve()):
        typer.echo(archive)
