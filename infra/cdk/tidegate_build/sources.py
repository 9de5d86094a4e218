"""Which files of a folder are sources: what git would ship, less what editors and systems leave behind.

It needs the standard library alone, and nothing beside it: the `tidegate` command reads it, too (fingerprint.py), so
that what ships and what counts as a change are the same.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Never a source, whoever tracks it: what Python makes of sources, and what keeps them.
_MADE = re.compile(r"(__pycache__|\.git|\.hg|\.svn|\.(pytest|mypy|ruff)_cache|.*\.py[co])")
# Files and folders that are nobody's source unless git has them: of editors, of merges, of file managers, of tools.
_LEFT_BEHIND = re.compile(
    r"""
    .*~ | \#.*\# | \.\#.*                                        # Emacs: backups, autosaves, locks
    | \.?.*\.sw[a-p] | \.?.*\.un~ | 4913                         # Vim: swap files, undo files, its probe
    | .*___jb_(tmp|old)___ | \.idea | .*\.iml                    # JetBrains
    | \.vscode | \.history | .*\.code-workspace | .*\.sublime-.* # others, by the folder
    | \.?.*\.kate-swp | \.~lock\..* | \.goutputstream-.*         # KDE, LibreOffice, GNOME
    | .*\.(orig|rej|bak|bck|backup|old|tmp|temp|save|copy)       # patch, merge tools, hands
    | .*_(BACKUP|BASE|LOCAL|REMOTE)_\d+\..*                      # git mergetool
    | \.DS_Store | \._.* | \.AppleDouble | \.Spotlight-V100 | \.Trashes | \.fseventsd
    | Thumbs\.db | ehthumbs\.db | [Dd]esktop\.ini | \$RECYCLE\.BIN
    | \.nfs.* | \.fuse_hidden.* | \.Trash-.* | \.directory
    | \.ipynb_checkpoints | \.hypothesis | \.tox | \.nox | \.venv | node_modules | .*\.egg-info | \.coverage(\..*)?
    | .*\.log | core\.\d+ | \.env(\.(?!example$|sample$|template$).*)?
    """,
    re.VERBOSE,
)


def sources(folder: Path) -> list[Path]:
    """List the files below a folder that are sources, in the order of their names.

    In a git checkout they are what git tracks and what it would add; elsewhere, whatever is there. Of what git doesn't
    track the leavings of editors and systems are none.
    """
    if not folder.is_dir():
        return []
    known = _of_git(folder)
    tracked, files = known or (frozenset[Path](), frozenset(_walked(folder)))
    return sorted(file for file in files if file.is_file() and _is_source(file, folder, tracked=file in tracked))


def _is_source(file: Path, folder: Path, *, tracked: bool) -> bool:
    parts = file.relative_to(folder).parts
    if any(_MADE.fullmatch(part) for part in parts):
        return False
    return tracked or not any(_LEFT_BEHIND.fullmatch(part) for part in parts)


def _of_git(folder: Path) -> tuple[frozenset[Path], frozenset[Path]] | None:
    """Return what git tracks below a folder, and that with what it would add; None: git knows nothing of it.

    It knows nothing of a folder that isn't in a checkout, or that the checkout around it ignores.
    """
    tracked = _listed(folder, "--cached")
    added = _listed(folder, "--others", "--exclude-standard")
    if tracked is None or added is None or not tracked | added:
        return None
    # A repository within this one, or a submodule, is listed as a folder: its own git knows.
    inner = [sources(place) for place in tracked | added if place.is_dir() and not place.is_symlink()]
    below = frozenset(file for files in inner for file in files)
    return tracked | below, tracked | added | below


def _listed(folder: Path, *which: str) -> frozenset[Path] | None:
    git = shutil.which("git")
    if git is None:
        return None
    # Within a hook git's own variables name another place.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - fixed words
        [git, "ls-files", "-z", *which], cwd=folder, env=environ, capture_output=True, check=False
    )
    if done.returncode:
        return None
    return frozenset(folder / os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def _walked(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if not _MADE.fullmatch(name) and not _LEFT_BEHIND.fullmatch(name)]
        yield from (Path(place, name) for name in names)
