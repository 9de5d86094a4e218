"""A function that ships whole: its own code beside the packages that are pinned in its folder, without the layers."""

from pathlib import Path

from infra.artefacts import function_code
from tidegate_build.assets import Asset, Workspace, build, digest_of
from tidegate_build.bytecode import TASK_ROOT, bytecode_fact, compiler_for
from tidegate_build.code import LAYER_PACKAGES, with_layers
from tidegate_build.packages import Slimming, compiled, install, slim
from tidegate_build.targets import Target

# What an installed package has for its users and for tools alone.
UNREAD = (
    "bin/**/*",
    "**/*.pyi",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/uv_cache.json",
    "*.dist-info/top_level.txt",
    "*.dist-info/sboms/**/*",
)


def requirements(name: str) -> Path:
    """Return where a function's packages are pinned, relative to the repository."""
    return Path("functions", name, "requirements.txt")


def whole(workspace: Workspace, target: Target, name: str, packages: str, slimming: Slimming) -> Asset:
    """Build the archive of a function; `packages` begins the name of its packages' own archive.

    Raises:
        BuildError: uv is missing, or fails to get a pinned wheel.
    """
    shipped = _packages(workspace, target, workspace.root / requirements(name), packages, slimming)
    return with_layers(workspace, function_code(workspace, name, target), [shipped])


def _packages(workspace: Workspace, target: Target, pinned: Path, packages: str, slimming: Slimming) -> Asset:
    interpreter = compiler_for(target)

    def fill(tree: Path) -> None:
        installed = tree / LAYER_PACKAGES
        install(workspace, target, pinned.read_text(encoding="utf-8"), installed)
        slim(installed, slimming)
        if interpreter:
            compiled(installed, slimming, interpreter, TASK_ROOT)

    facts = [target.tag, bytecode_fact(interpreter), repr((slimming.drop, slimming.sourceless))]
    facts += [f"{folder}={sorted(kept)}" for folder, kept in slimming.services.items()]
    return build(workspace, f"{packages}-{target.tag}", digest_of(facts, {"pinned": pinned}), fill)
