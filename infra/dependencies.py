"""The third-party layer's archive: the locked packages for a target, less what `recipe.toml` leaves out."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from infra.assets import Asset, Workspace, build, digest_of
from infra.bytecode import LAYER_ROOT, bytecode_fact, compiler_for
from infra.packages import Slimming, compiled, install, slim
from infra.targets import Target
from infra.toolchain import find_uv, run

RECIPE = Path("layers", "dependencies", "recipe.toml")


@dataclass(frozen=True)
class Recipe:
    """Which packages are installed, and what of them ships."""

    group: str
    slimming: Slimming

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read a recipe from a TOML file."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        services = {folder: frozenset(names) for folder, names in table["services"].items()}
        return cls(table["group"], Slimming(tuple(table["drop"]), tuple(table["sourceless"]), services))


def dependencies_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the layer's archive; raises BuildError if uv is missing, or fails to get a locked wheel."""
    recipe = Recipe.read(workspace.root / RECIPE)
    requirements = _locked_requirements(workspace, recipe)
    interpreter = compiler_for(target)

    def fill(tree: Path) -> None:
        packages = tree / "python"
        install(workspace, target, requirements, packages)
        slim(packages, recipe.slimming)
        if interpreter:
            compiled(packages, recipe.slimming, interpreter, LAYER_ROOT)

    facts = [requirements, target.tag, bytecode_fact(interpreter)]
    digest = digest_of(facts, {RECIPE.name: workspace.root / RECIPE})
    return build(workspace, f"layer-dependencies-{target.tag}", digest, fill)


def _locked_requirements(workspace: Workspace, recipe: Recipe) -> str:
    """List the locked packages, with their hashes, as requirements: pip's format, without comments."""
    options = [
        "--frozen",
        "--no-dev",
        "--group",
        recipe.group,
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
    ]
    return run([*find_uv(), "export", "--quiet", *options], cwd=workspace.root)
