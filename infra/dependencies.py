"""The third-party layer's archive: the locked packages for a target, less what `recipe.toml` leaves out."""

import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.assets import Asset, Workspace, build, digest_of
from infra.bytecode import LAYER_ROOT, bytecode_fact, compile_tree, compiler_for, drop_sources
from infra.targets import Target
from infra.toolchain import Interpreter, find_uv, run

RECIPE = Path("layers", "dependencies", "recipe.toml")


@dataclass(frozen=True)
class Recipe:
    """What of the installed packages ships; paths and globs are relative to the layer's python folder."""

    group: str
    drop: tuple[str, ...]
    sourceless: tuple[str, ...]
    services: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read a recipe from a TOML file."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            group=table["group"],
            drop=tuple(table["drop"]),
            sourceless=tuple(table["sourceless"]),
            services={folder: frozenset(names) for folder, names in table["services"].items()},
        )


def dependencies_layer(workspace: Workspace, target: Target) -> Asset:
    """Build the layer's archive; raises BuildError if uv is missing, or fails to get a locked wheel."""
    recipe = Recipe.read(workspace.root / RECIPE)
    requirements = _locked_requirements(workspace, recipe)
    interpreter = compiler_for(target)

    def fill(tree: Path) -> None:
        packages = tree / "python"
        _install(workspace, target, requirements, packages)
        _prune(packages, recipe)
        if interpreter:
            _compile(packages, recipe, interpreter)

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


def _install(workspace: Workspace, target: Target, requirements: str, packages: Path) -> None:
    listed = packages.parent.parent / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    where = (
        ["--python-version", target.python, "--python-platform", target.platform]
        if target.platform
        else ["--python", sys.executable]
    )
    options = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--requirements", str(listed)]
    run(
        [*find_uv(), "pip", "install", "--quiet", "--target", str(packages), *where, *options],
        cwd=workspace.root,
    )


def _prune(packages: Path, recipe: Recipe) -> None:
    for pattern in recipe.drop:
        for path in packages.glob(pattern):
            if path.is_file():
                path.unlink()
    for folder, kept in recipe.services.items():
        for service in (packages / folder).iterdir():
            if service.is_dir() and service.name not in kept:
                shutil.rmtree(service)


def _compile(packages: Path, recipe: Recipe, interpreter: Interpreter) -> None:
    compile_tree(packages, interpreter, LAYER_ROOT)
    for name in recipe.sourceless:
        drop_sources(packages / name, interpreter)
