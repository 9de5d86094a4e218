"""Builds the controller's archive for any platform, and prints where it is: `python -m infra.controller_archive`.

It is what the package of infra/cdk ships. Sources alone are in it, since the Python that will run it isn't known.
"""

import sys
from pathlib import Path

from infra.controller import NAME, SLIMMING
from infra.pinned import requirements
from tidegate_build.assets import Asset, Workspace, build, digest_of, source_files
from tidegate_build.code import LAYER_PACKAGES
from tidegate_build.packages import install, slim
from tidegate_build.targets import LAMBDA_ARM64

# Its packages are pure Python, so that a platform's wheels are all platforms'.
_WHEELS_OF = LAMBDA_ARM64


def archive(workspace: Workspace) -> Asset:
    """Build the archive; raises BuildError if uv is missing, or fails to get a pinned wheel."""
    pinned = workspace.root / requirements(NAME)
    functions = workspace.root / "functions"
    own = source_files(functions / NAME, f"functions/{NAME}")
    own["functions/__init__.py"] = functions / "__init__.py"

    def fill(tree: Path) -> None:
        work = tree.parent / "packages" / LAYER_PACKAGES
        install(workspace, _WHEELS_OF, pinned.read_text(encoding="utf-8"), work)
        slim(work, SLIMMING)
        for path in sorted(path for path in work.rglob("*") if path.is_file()):
            _place(path, tree / path.relative_to(work))
        for name, path in own.items():
            _place(path, tree / name)

    facts = ["any", repr(SLIMMING.drop), *[f"{folder}={sorted(kept)}" for folder, kept in SLIMMING.services.items()]]
    return build(workspace, "controller-any", digest_of(facts, {**own, "pinned": pinned}), fill)


def _place(source: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(source.read_bytes())


if __name__ == "__main__":
    sys.stdout.write(f"{archive(Workspace.at(Path(__file__).parents[1])).path}\n")
