"""What ships: the project's sources, in a checkout and outside of one, and nobody's leavings."""

import os
import subprocess

import pytest

from tidegate_build.sources import sources

LEAVINGS = [
    ".handler.py.swp",
    ".handler.py.swo",
    ".handler.py.swa",
    "handler.py.swp",
    ".handler.py.un~",
    "handler.py~",
    "4913",
    "#handler.py#",
    ".#handler.py",
    "handler.py.orig",
    "handler.py.rej",
    "handler.py.bak",
    "handler_LOCAL_4711.py",
    "handler.py___jb_tmp___",
    "handler.py___jb_old___",
    ".handler.py.kate-swp",
    ".~lock.prices.ods#",
    ".DS_Store",
    "._handler.py",
    "Thumbs.db",
    "desktop.ini",
    ".nfs000000000a1b",
    ".idea/workspace.xml",
    ".vscode/settings.json",
    ".ipynb_checkpoints/handler.py",
    "__pycache__/handler.cpython-313.pyc",
    "__pycache__/anything.txt",
    "handler.pyc",
    ".pytest_cache/README.md",
    ".mypy_cache/x.json",
    "node_modules/left/pad.js",
    "app.egg-info/PKG-INFO",
    ".env",
    "debug.log",
]
SHIPPED = [
    "handler.py",
    "lua/admit.lua",
    "py.typed",
    "data/prices.json",
    ".well-known/security.txt",
    "swap.py",
    "old.py",
]


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(folder):
    return [file.relative_to(folder).as_posix() for file in sources(folder)]


def git(folder, *words):
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=["outside of git", "untracked", "tracked"])
def folder(request, tmp_path):
    """A project's folder with its sources."""
    functions = tmp_path / "project" / "functions"
    write(functions, *SHIPPED)
    if request.param != "outside of git":
        git(tmp_path / "project", "init")
    if request.param == "tracked":
        git(tmp_path / "project", "add", ".")
    return functions


def test_sources_ship_and_nobody_s_leavings_do(folder):
    write(folder, *LEAVINGS)
    assert names(folder) == sorted(SHIPPED, key=lambda name: folder / name)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init")
    write(tmp_path, "functions/handler.py", "layers/x.py")
    return tmp_path


def test_what_git_ignores_does_not_ship(checkout):
    write(checkout, "functions/notes.txt", "functions/deep/notes.txt")
    (checkout / ".gitignore").write_text("notes.txt\n")
    assert names(checkout / "functions") == ["handler.py"]


def test_what_is_tracked_ships_whatever_it_is_called(checkout):
    write(checkout, "functions/prices.old", "functions/prices.new.orig")
    git(checkout, "add", "functions/prices.old")
    assert names(checkout / "functions") == ["handler.py", "prices.old"]


def test_a_tracked_file_that_was_deleted_is_gone(checkout):
    git(checkout, "add", ".")
    (checkout / "functions" / "handler.py").unlink()
    assert names(checkout / "functions") == []


def test_a_project_that_the_checkout_around_it_ignores_ships_whole(checkout):
    write(checkout, "build/functions/handler.py", "build/functions/app.py~")
    (checkout / ".gitignore").write_text("build/\n")
    assert names(checkout / "build" / "functions") == ["handler.py"]


def test_a_repository_within_ships_by_its_own_rules(checkout):
    write(checkout, "functions/vendored/lib.py", "functions/vendored/secret.key")
    git(checkout / "functions" / "vendored", "init")
    (checkout / "functions" / "vendored" / ".gitignore").write_text("secret.key\n")
    assert names(checkout / "functions") == ["handler.py", "vendored/.gitignore", "vendored/lib.py"]


def test_names_that_are_no_text_and_git_hooks_change_nothing(checkout, monkeypatch):
    monkeypatch.setenv("GIT_DIR", os.devnull)
    write(checkout, "functions/naïve name\n.py")
    assert names(checkout / "functions") == ["handler.py", "naïve name\n.py"]


def test_a_folder_that_is_not_there_has_none(tmp_path):
    assert sources(tmp_path / "none") == []
