"""What `tidegate new` writes and `tidegate upgrade` rewrites; a project's whole life is in tests/e2e."""

import json
import re
import subprocess
import tomllib
import zipfile

import pytest
from typer.testing import CliRunner

from tidegate_local.cli.commands import app
from tidegate_local.layout import CHECKOUT, project_folder
from tidegate_local.new.making import Project, make
from tidegate_local.new.wheels import PACKAGES
from tidegate_local.project_facts import ProjectFacts

CHANGELOG = """# Changelog

## [Unreleased]

- what comes

## [0.3.0] - 2026-03-01

- a third thing

## [0.2.0] - 2026-02-01

- a second thing

## [0.1.0] - 2026-01-01

- a first thing
"""


def tidegate(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, f"{done.stdout}{done.stderr}"


def wheels(folder, version, word=""):
    """Wheels with nothing in them but what is read of them."""
    folder.mkdir(exist_ok=True)
    for name in PACKAGES:
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tidegate/CHANGELOG.md", f"{CHANGELOG}{word}")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A new project of version 0.1.0, in which commands are run."""
    monkeypatch.chdir(tmp_path)
    status, said = tidegate("new", "book-store", "--bare", "--wheels", wheels(tmp_path / "first", "0.1.0"))
    assert status == 0, said
    monkeypatch.chdir(tmp_path / "book-store")
    return tmp_path / "book-store"


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_make_up_and_demo_take_the_engine_that_the_commands_name(project):
    def recipe(*words):
        return subprocess.run(["make", "--dry-run", *words], capture_output=True, text=True, check=True).stdout

    assert re.search(r'tidegate up +--engine "localstack-host"', recipe("up", "ENGINE=localstack-host"))
    assert re.search(r'tidegate up +--endpoint "http://e" && tidegate scenario', recipe("demo", "ENDPOINT=http://e"))
    assert "tidegate up" not in recipe("demo")


def test_it_has_few_files_and_bears_its_own_name(project):
    made = contents(project)
    assert len(made) <= 20
    assert not [name for name, text in made.items() if b"MyProject" in text or b"my-project" in text]
    told = tomllib.loads((project / "pyproject.toml").read_text())
    assert told["project"]["name"] == "book-store"
    assert told["project"]["dependencies"] == ["tidegate[aws,lambda]==0.1.0"]
    assert {name for name in made if name.startswith("wheels/")} == {
        f"wheels/{name.replace('-', '_')}-0.1.0-py3-none-any.whl" for name in PACKAGES
    }


def test_the_sample_has_few_files_too_and_reads_its_facts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = tidegate("new", "tea-store", "--shop", "--wheels", wheels(tmp_path / "first", "0.1.0"))
    assert status == 0, said
    assert len(contents(tmp_path / "tea-store")) <= 20
    facts = ProjectFacts.read(tmp_path / "tea-store")
    assert set(facts.tables) == {"orders", "products"}
    assert facts.seed


def test_its_facts_are_read_by_the_commands(project):
    assert project_folder() == project
    facts = ProjectFacts.read()
    assert (facts.stack, facts.app, facts.readiness) == ("BookStore", "api.app:app", "/health/ready")


def test_cdk_behaves_in_it_as_here(project):
    assert json.loads((project / "cdk.json").read_text()) == json.loads((CHECKOUT / "cdk.json").read_text())


def test_packages_of_an_index_need_no_wheels(tmp_path):
    make(Project("book-store"), "bare", tmp_path / "made", None, dict.fromkeys(PACKAGES, "1.2.0"))
    told = tomllib.loads((tmp_path / "made/pyproject.toml").read_text())
    assert "uv" not in told["tool"]
    assert "tidegate-local==1.2.0" in told["dependency-groups"]["dev"]


@pytest.mark.parametrize("name", ["Book-Shop", "book_shop", "1book", "b" * 33, "tidegate-shop"])
def test_a_name_that_cannot_be_is_refused(name, tmp_path):
    status, said = tidegate("new", name, "--into", tmp_path / "new")
    assert status == 1
    assert name in said
    assert not (tmp_path / "new").exists()


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine").touch()
    status, said = tidegate("new", "book-store", "--into", tmp_path, "--wheels", wheels(tmp_path / "w", "0.1.0"))
    assert (status, "has files already" in said) == (1, True)


def test_a_folder_without_all_wheels_is_named(tmp_path):
    folder = wheels(tmp_path / "w", "0.1.0")
    (folder / "tidegate_cdk-0.1.0-py3-none-any.whl").unlink()
    status, said = tidegate("new", "book-store", "--into", tmp_path / "new", "--wheels", folder)
    assert status == 1
    assert "no wheel of tidegate-cdk" in said


def test_an_upgrade_changes_version_lines_and_wheels_alone(project, tmp_path):
    before = contents(project)
    status, said = tidegate("upgrade", wheels(tmp_path / "later", "0.3.0"))
    assert status == 0, said
    after = contents(project)
    changed = {name for name, _ in before.items() ^ after.items() if not name.startswith("wheels/")}
    assert changed == {"pyproject.toml"}
    assert after["pyproject.toml"].decode() == before["pyproject.toml"].decode().replace("==0.1.0", "==0.3.0")
    assert len([name for name in after if name.startswith("wheels/")]) == len(PACKAGES)


def test_an_upgrade_says_what_changed_between_the_versions(project, tmp_path):
    _, said = tidegate("upgrade", wheels(tmp_path / "later", "0.3.0"))
    assert "tidegate-cdk: 0.1.0 → 0.3.0" in said
    assert "a second thing" in said
    assert "a third thing" in said
    assert "a first thing" not in said
    assert "what comes" not in said


def test_an_upgrade_to_a_build_says_what_is_unreleased(project, tmp_path):
    _, said = tidegate("upgrade", wheels(tmp_path / "later", "0.3.1.dev1"))
    assert "what comes" in said


def test_an_upgrade_to_an_index_leaves_the_wheels_away(project):
    status, said = tidegate("upgrade", "0.3.0")
    assert status == 0, said
    assert not (project / "wheels").exists()
    assert "find-links" not in (project / "pyproject.toml").read_text()


@pytest.mark.parametrize(("version", "word", "said"), [("0.0.9", "", "older"), ("0.1.0", "other", "another build")])
def test_an_upgrade_that_is_none_is_refused(project, tmp_path, version, word, said):
    before = contents(project)
    status, told = tidegate("upgrade", wheels(tmp_path / "given", version, word))
    assert status == 1
    assert said in told
    assert contents(project) == before


def test_the_same_wheels_change_nothing(project, tmp_path):
    before = contents(project)
    status, said = tidegate("upgrade", tmp_path / "first")
    assert (status, "already" in said) == (0, True)
    assert contents(project) == before


def test_what_is_no_source_of_packages_is_refused(project):
    status, said = tidegate("upgrade", "newest")
    assert (status, "neither a folder of wheels nor a version" in said) == (1, True)


@pytest.mark.parametrize("name", ["fastapi", "pytest", "typing-extensions"])
def test_a_name_of_a_package_that_it_depends_on_is_refused(name, tmp_path):
    status, said = tidegate("new", name, "--into", tmp_path / "made", "--wheels", wheels(tmp_path / "w", "0.1.0"))
    assert status == 1
    assert f"write another, such as my-{name}." in said


def test_a_member_of_a_workspace_above_is_refused_with_the_way_out(tmp_path):
    made, given = tmp_path / "services" / "book-store", wheels(tmp_path / "w", "0.1.0")
    root = tmp_path / "pyproject.toml"
    root.write_text('[tool.uv.workspace]\nmembers = ["services/*"]\n')
    status, said = tidegate("new", "book-store", "--into", made, "--wheels", given)
    assert (status, made.exists()) == (1, False)
    exclude = 'exclude = ["services/book-store"]'
    assert f"write {exclude} into [tool.uv.workspace]" in said
    root.write_text(f"{root.read_text()}{exclude}\n")
    assert tidegate("new", "book-store", "--into", made, "--wheels", given)[0] == 0
    assert tidegate("new", "book-store", "--into", tmp_path / "elsewhere", "--wheels", given)[0] == 0


def test_the_next_commands_can_be_copied_from_a_folder_with_a_space(tmp_path):
    made = tmp_path / "my books"
    status, said = tidegate("new", "book-store", "--into", made, "--wheels", wheels(tmp_path / "w", "0.1.0"))
    assert status == 0
    assert f"cd '{made}'" in said


def test_archives_of_layers_are_not_committed(project):
    assert "dist/" in (project / ".gitignore").read_text().split()


def test_a_version_comes_after_the_builds_on_its_way(project):
    for version in ("0.2.0.dev1", "0.2.0a1", "0.2.0rc1.dev3", "0.2.0rc1", "0.2.0", "0.2.0.post1", "0.10"):
        status, said = tidegate("upgrade", version)
        assert status == 0, said
        assert f"→ {version}\n" in said
    assert "older than 0.10" in tidegate("upgrade", "0.9.1")[1]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ('[tool.uv]\nfind-links = ["wheels"]\n', ""),
        ('[tool.uv]\n# Ours.\nfind-links = ["wheels"]\npackage = true\n', "[tool.uv]\n# Ours.\npackage = true\n"),
    ],
)
def test_an_index_takes_the_place_of_wheels_in_an_edited_file(project, written, left):
    file = project / "pyproject.toml"
    template = '[tool.uv]\n# Tidegate\'s packages, while no index has them.\nfind-links = ["wheels"]\n'
    assert template in file.read_text()
    file.write_text(file.read_text().replace(template, written))
    assert tidegate("upgrade", "0.2.0")[0] == 0
    assert "find-links" not in file.read_text()
    assert tomllib.loads(file.read_text())["project"]["name"] == "book-store"
    assert left in file.read_text()
