"""What `tidegate new` makes; that it passes its own tests is shown by `python -m tests.scenarios.new_project`."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tidegate_local import toolchain
from tidegate_local.cli.commands import app
from tidegate_local.errors import ProjectError
from tidegate_local.layout import REPOSITORY
from tidegate_local.new.making import make
from tidegate_local.new.project import AwsSettings, Project
from tidegate_local.new.selection import of_repository, selected
from tidegate_local.new.starter import registered


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "book-shop"
    done = CliRunner().invoke(
        app, ["new", "book-shop", "--into", str(folder), "--route", "books", "--memory-mb", "1024", "--timeout-s", "9"]
    )
    assert done.exit_code == 0, done.output
    return folder


def texts(folder: Path, *suffixes: str):
    for file in folder.rglob("*"):
        if file.suffix in suffixes:
            yield file.relative_to(folder).as_posix(), file.read_text()


def test_the_top_level_is_that_of_this_repository(made):
    ours = {path.split("/")[0] for path in of_repository(REPOSITORY)}
    assert {path.name for path in made.iterdir()} == ours


def test_every_module_compiles(made):
    for name, text in texts(made, ".py"):
        ast.parse(text, name)


def test_no_stack_and_no_api_bears_our_name(made):
    told = [
        name
        for name, text in texts(made, ".py", ".toml", ".json")
        if "Tidegate-local" in text or "Tidegate-aws" in text
    ]
    assert told == []
    assert '"BookShop-local"' in (made / "localstack/tidegate_local/deployment/deployer.py").read_text()
    assert 'f"BookShop-{stage.name}"' in (made / "app.py").read_text()
    assert 'f"book-shop-{stage.name}"' in (made / "infra/stack.py").read_text()


def test_its_lock_is_its_own(made):
    environ = {**os.environ, "UV_OFFLINE": "1"}
    uv = [str(toolchain.find_uv()), "lock", "--check", "--quiet"]
    subprocess.run(uv, cwd=made, env=environ, check=True, capture_output=True)
    assert 'name = "book-shop"' in (made / "pyproject.toml").read_text()


def test_the_routes_are_served_and_tested(made):
    assert "books.router)" in (made / "functions/api/app.py").read_text()
    assert '"/v1/books"' in (made / "functions/api/routes/books.py").read_text()
    assert '"/v1/books"' in (made / "tests/api/test_books.py").read_text()


def test_the_settings_are_those_of_aws_alone(made):
    local, _, aws = (made / "infra/stages.py").read_text().partition("\nAWS = ")
    assert "memory_mb=1024," in aws
    assert "timeout_s=9," in aws
    assert "memory_mb=512," in local


def test_the_librarys_own_tests_and_their_targets_stay_here(made):
    assert not (made / "tests/unit").exists()
    assert not (made / "localstack/process_executor/tests").exists()
    assert 'testpaths = ["tests"]\n' in (made / "pyproject.toml").read_text()
    makefile = (made / "Makefile").read_text()
    for target in ("bench", "storm", "release-demo", "test-lowest"):
        assert f"\n{target}:" not in makefile
        assert f" {target}" not in next(line for line in makefile.splitlines() if line.startswith(".PHONY"))
    assert "LOWEST" not in makefile
    assert "lowest" not in (made / ".ci/run").read_text()
    for name, text in texts(made / "tests", ".py"):
        for module in ("unit", "http", "contract", "local", "scenarios"):
            assert f"from tests.{module}" not in text, name


@pytest.mark.parametrize(
    ("name", "routes"),
    [("a", ()), ("an-uncommonly-long-project-nam", ("b10", "b2", "b_3", "authors", "publishers", "x" * 30))],
)
def test_ruff_has_nothing_to_say_whatever_the_names(tmp_path, name, routes):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file():
        pytest.skip("ruff is in the lint group, which isn't installed")
    make(Project.of(name, routes), AwsSettings(), tmp_path)
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *words, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    listed = (tmp_path / "functions/api/app.py").read_text()
    assert all(f"{route}.router" in listed for route in routes)


def test_a_project_made_from_a_project_has_the_routes_of_both():
    source = (REPOSITORY / "functions/api/app.py").read_text()
    wrapped = re.sub(
        r"(?m)^(from functions.api.routes import )(.*)$", r"\1(\n    \2,\n)", registered(source, ("books",))
    )
    assert "import (\n    books," in wrapped
    imported, routers = (line for line in registered(wrapped, ("zoo",)).splitlines() if "zoo" in line)
    assert imported == "from functions.api.routes import books, exports, health, orders, products, reports, zoo"
    assert routers.endswith("books.router, zoo.router)")


@pytest.mark.parametrize("name", ["Book", "9books", "book--shop", "-book", "book_shop", "a" * 31, "", "tidegate"])
def test_names_that_lambda_or_we_refuse(name):
    with pytest.raises(ProjectError):
        Project.of(name)


@pytest.mark.parametrize("route", ["Books", "my-books", "1st", "requests", "b" * 31])
def test_routes_that_python_or_the_sample_refuses(route):
    with pytest.raises(ProjectError):
        Project.of("shop", (route,))


@pytest.mark.parametrize(
    "settings", [AwsSettings(memory_mb=64), AwsSettings(timeout_s=30), AwsSettings(reserved_concurrency=1)]
)
def test_settings_that_lambda_refuses(settings):
    with pytest.raises(ProjectError):
        settings.changes()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = CliRunner().invoke(app, ["new", "shop", "--into", str(tmp_path)])
    assert done.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "routes", "why"),
    [
        ("redis", (), "a package that the project itself needs"),
        ("fastapi", (), "a package that the project itself needs"),
        ("shop", ("class",), "a word of Python's"),
        ("shop", ("os",), "functions/api/app.py"),
        ("shop", ("orders",), "functions/api/app.py"),
        ("shop", ("books", "protect"), "functions/api/app.py"),
        ("shop", ("shapes",), "would replace functions/api/routes/shapes.py"),
        ("shop", ("schema",), "would replace tests/api/test_schema.py"),
    ],
)
def test_names_that_meet_others_are_refused_before_anything_is_written(tmp_path, name, routes, why):
    with pytest.raises(ProjectError, match=f"{why}.*choose another"):
        make(Project.of(name, routes), AwsSettings(), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_message_shows_a_folder_as_it_is_called(tmp_path):
    folder = tmp_path / "full[bold]"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    done = CliRunner().invoke(app, ["new", "shop", "--into", str(folder)])
    assert f"{folder} is there" in done.output


def test_a_folder_in_the_repository_is_refused():
    with pytest.raises(ProjectError, match="--into"):
        make(Project.of("shop"), AwsSettings(), REPOSITORY / "shop")


def test_without_git_the_same_files_are_found_by_walking(made, tmp_path):
    """But for those that only a project has; a project isn't a git repository yet."""
    found = set(of_repository(made))
    assert ".gitignore" in found
    assert found >= set(selected(found))
    shutil.copytree(made / "infra", tmp_path / "infra")
    (tmp_path / "infra" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "infra" / "__pycache__" / "x.pyc").write_bytes(b"")
    assert all(name.startswith("infra/") and not name.endswith(".pyc") for name in of_repository(tmp_path))
