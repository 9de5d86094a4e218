"""The third-party layer's archive: a project's locked packages for a target, less what `recipe.toml` leaves out."""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate_build.assets import Asset, Workspace, build, digest_of
from tidegate_build.bytecode import LAYER_ROOT, bytecode_fact, compiler_for
from tidegate_build.packages import Slimming, compiled, install, slim
from tidegate_build.targets import Target
from tidegate_build.toolchain import find_uv, run

_SHIPPED = Path(__file__).with_name("recipe.toml")
_CHECKOUT = Path(__file__).parents[3]
# A wheel has it inside (infra/cdk/hatch_build.py).
RECIPE = _SHIPPED if _SHIPPED.exists() else _CHECKOUT / "layers" / "dependencies" / "recipe.toml"


@dataclass(frozen=True)
class Recipe:
    """What of the installed packages ships."""

    slimming: Slimming

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read a recipe from a TOML file."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        services = {folder: frozenset(names) for folder, names in table["services"].items()}
        return cls(Slimming(tuple(table["drop"]), tuple(table["sourceless"]), services))

    def serving(self, services: Collection[str]) -> "Recipe":
        """Return the recipe that keeps boto's descriptions of further services."""
        kept = {folder: names | frozenset(services) for folder, names in self.slimming.services.items()}
        return Recipe(replace(self.slimming, services=kept))


@dataclass(frozen=True)
class Locked:
    """Which of a project's locked packages ship: its dependencies, those of `groups`, and none of `without`."""

    groups: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def requirements(self, workspace: Workspace) -> str:
        """List them with their hashes: pip's format, without comments.

        Raises:
            BuildError: uv is missing, or the lock isn't that of the project's dependencies.
        """
        locked = ["--frozen"] if (workspace.root / "uv.lock").exists() else []
        options = [*locked, "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"]
        options += [word for group in self.groups for word in ("--group", group)]
        options += [word for package in self.without for word in ("--no-emit-package", package)]
        return run([*find_uv(), "export", "--quiet", *options], cwd=workspace.root)


def dependencies_layer(
    workspace: Workspace, target: Target, requirements: str, *, services: Sequence[str] = ()
) -> Asset:
    """Build the layer's archive.

    Args:
        workspace: where archives are kept.
        target: what will run it.
        requirements: the locked packages, with their hashes, in pip's format.
        services: those of AWS, by boto's names, that are called beside the library's.

    Raises:
        BuildError: uv is missing, or fails to get a locked wheel.
    """
    recipe = Recipe.read(RECIPE).serving(services)
    interpreter = compiler_for(target)

    def fill(tree: Path) -> None:
        packages = tree / "python"
        install(workspace, target, requirements, packages)
        slim(packages, recipe.slimming)
        if interpreter:
            compiled(packages, recipe.slimming, interpreter, LAYER_ROOT)

    facts = [requirements, target.tag, bytecode_fact(interpreter), *services]
    digest = digest_of(facts, {RECIPE.name: RECIPE})
    return build(workspace, f"layer-dependencies-{target.tag}", digest, fill)
