"""The counts by which the structure is judged, from the import graph and the files' names."""

import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from pathlib import Path

import grimp

PACKAGE = Path(__file__).parents[2] / "layers" / "tidegate" / "python" / "tidegate"

# What a mechanism's files are called, wherever they lie.
NAMES = {
    "limits": r"limits?|token_\w+|leaky_bucket|sliding_window\w*|packed_window|quota|concurrency|shares?",
    "overflow": r"overflow|queue\w*",
    "idempotency": r"idempotency|claims?",
    "cache": r"cache\w*|copies",
    "shedding": r"shedding|demand",
}


def graph() -> grimp.ImportGraph:
    """The library's imports, without those that only a type checker follows."""
    return grimp.build_graph("tidegate", exclude_type_checking_imports=True, cache_dir=None)


def circle(imports: grimp.ImportGraph) -> list[str]:
    """Modules of which each imports the next one, and the last one the first; empty if there is no such circle."""
    try:
        TopologicalSorter({m: imports.find_modules_directly_imported_by(m) for m in imports.modules}).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def folder_of(module: str) -> str:
    """The folder a module lies in, below the package; empty for the root."""
    path = PACKAGE.parent / module.replace(".", "/")
    folder = path if path.is_dir() else path.parent
    return str(folder.relative_to(PACKAGE))


def mutual(imports: grimp.ImportGraph) -> list[tuple[str, str]]:
    """Pairs of folders that import each other, each with one import at least; the root composes all and is left out."""
    edges = {
        (folder_of(module), folder_of(imported))
        for module in imports.modules
        for imported in imports.find_modules_directly_imported_by(module)
    }
    folders = sorted({folder for edge in edges for folder in edge} - {"."})
    return [(a, b) for a, b in combinations(folders, 2) if (a, b) in edges and (b, a) in edges]


def files_of(mechanism: str) -> list[Path]:
    """The files of a mechanism: those in its folder, and those elsewhere that are named after it."""
    named = re.compile(NAMES[mechanism])
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.lua")]
    return sorted(
        file.relative_to(PACKAGE)
        for file in files
        if file.name != "__init__.py"
        and "client" not in file.parts
        and (mechanism in file.relative_to(PACKAGE).parts[:-1] or named.fullmatch(file.stem))
    )


def twice() -> dict[str, int]:
    """File names that exist more than once."""
    names = Counter(file.name for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
    return {name: count for name, count in sorted(names.items()) if count > 1}


def measured(imports: grimp.ImportGraph) -> str:
    """All counts as lines of text."""
    lines = [f"files: {len(list(PACKAGE.rglob('*.py')))}"]
    lines.append(f"a circle: {' '.join(circle(imports)) or 'none'}")
    pairs = mutual(imports)
    lines.append(f"pairs of folders that import each other: {len(pairs)} {', '.join(f'{a} and {b}' for a, b in pairs)}")
    for mechanism in NAMES:
        files = files_of(mechanism)
        folders = {str(file.parent) for file in files}
        lines.append(f"{mechanism}: {len(files)} files in {len(folders)} folders: {' '.join(sorted(folders))}")
    lines.append(f"file names twice: {', '.join(f'{name} ({count})' for name, count in twice().items())}")
    return "\n".join(lines)


def faults(imports: grimp.ImportGraph) -> list[str]:
    """What must not be, each in a sentence."""
    around = circle(imports)
    pairs = [f"The folders {one} and {other} import each other." for one, other in mutual(imports)]
    return [f"These modules import each other in a circle: {' '.join(around)}.", *pairs] if around else pairs
