"""Print how the library is built: circles, folders that import each other, and in how many files a mechanism lies.

    python -m tests.structure [--check]

The graph is grimp's (import-linter's): imports inside functions count, those that only a type checker follows don't.
With `--check` it fails if there is a circle, or a pair of folders that import each other.
"""

import sys

from tests.structure.counts import faults, graph, measured

if __name__ == "__main__":
    imports = graph()
    sys.stdout.write(f"{measured(imports)}\n")
    if "--check" in sys.argv[1:] and (found := faults(imports)):
        sys.exit("\n".join(found))
