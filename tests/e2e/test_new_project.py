"""A project of somebody who has the packages' wheels and nothing else: made, up, changed, released, upgraded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import httpx
import pytest

from tests.e2e.new_project_notes import replace_route
from tests.harness.engine_choice import ENGINE
from tidegate_build.sources import sources
from tidegate_build.toolchain import find_uv
from tidegate_local.layout import CHECKOUT
from tidegate_local.new.wheels import PACKAGES, Wheels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(ENGINE != "embedded", reason="what is new doesn't depend on the engine"),
]
# Two builds of these sources. uv keeps what it has seen of a version, so that no two runs may share one.
BEFORE, AFTER = (f"0.1.{os.getpid()}.dev{number}" for number in (1, 2))
MOST_FILES = 20
# Nobody asks meanwhile, so that there is nothing to judge by.
AT_ONCE = "ARGS=--strategy all-at-once"


@pytest.fixture
def _a_redis_that_is_up():
    """In place of the other tests' cloud: this one has its own."""


class Owner:
    """Whoever makes the project: a shell without anything of the checkout's."""

    def __init__(self, folder):
        self.folder = folder
        self.project = folder / "book-store"
        kept = {
            name: value
            for name, value in os.environ.items()
            # A make around the tests would give its own words to this one.
            if not name.startswith(("AWS_", "TIDEGATE_", "VIRTUAL", "PYTEST", "PYTHON", "MAKE", "MFLAGS", "ARGS"))
        }
        own = str(CHECKOUT / ".venv")
        path = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if not part.startswith(own))
        self.environ = {**kept, "PATH": path}

    def run(self, *words, cwd=None):
        done = subprocess.run(
            words, cwd=cwd or self.project, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def make(self, *words):
        return self.run("make", f"PYTHON={sys.executable}", *words)

    def files(self):
        aside = {".venv", ".tidegate", "__pycache__", ".pytest_cache"}
        found = (file for file in self.project.rglob("*") if file.is_file())
        named = ((file.relative_to(self.project), file) for file in found)
        return {str(name): file.read_bytes() for name, file in named if not aside & set(name.parts)}

    def ask(self, method, path, **words):
        state = json.loads((self.project / ".tidegate/state.json").read_text())
        headers = {"x-api-key": state["api_keys"]["pro"], **words.pop("headers", {})}
        with httpx.Client(timeout=60, trust_env=False) as http:
            return http.request(method, f"{state['api_url']}{path}", headers=headers, **words)


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """An earlier and a later build of the packages, each in a folder of its own; the later library is another."""
    folders = {version: tmp_path_factory.mktemp("wheels") for version in (BEFORE, AFTER)}
    Wheels.built_as(BEFORE, CHECKOUT, folders[BEFORE], find_uv())
    later = tmp_path_factory.mktemp("later")
    for file in sources(CHECKOUT):
        place = later / file.relative_to(CHECKOUT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    (later / ".tidegate").symlink_to(CHECKOUT / ".tidegate")
    with (later / "layers/tidegate/python/tidegate/__init__.py").open("a") as library:
        library.write("\n# a later build\n")
    Wheels.built_as(AFTER, later, folders[AFTER], find_uv())
    return folders


@pytest.fixture
def owner(builds, tmp_path):
    """The owner, with the command that an environment of the wheels alone has, and a project by it."""
    owner, tool = Owner(tmp_path), tmp_path / "tool"
    owner.run(*find_uv(), "venv", "--quiet", "--python", sys.executable, str(tool), cwd=tmp_path)
    install = ["pip", "install", "--quiet", "--python", f"{tool}/bin/python", "--find-links", str(builds[BEFORE])]
    pinned = [f"{name}=={BEFORE}" for name in PACKAGES]
    owner.run(*find_uv(), *install, *pinned, cwd=tmp_path)
    owner.run(f"{tool}/bin/tidegate", "new", "book-store", "--bare", "--wheels", str(builds[BEFORE]), cwd=tmp_path)
    yield owner
    if (owner.project / ".tidegate").exists():
        owner.make("down")


def test_a_project_lives_by_the_wheels_alone(owner, builds):
    assert len(owner.files()) <= MOST_FILES
    owner.make("test")
    owner.make("up")
    hello = owner.ask("GET", "/v1/hello")
    assert (hello.json(), hello.headers["ratelimit-policy"]) == ({"message": "hello"}, '"5/s";q=10;w=2')

    replace_route(owner.project)
    owner.make("test")
    assert "Promoted" in owner.make("release", AT_ONCE)
    written = owner.ask("PUT", "/v1/notes/a", params={"text": "mine"}, headers={"Idempotency-Key": '"a"'})
    assert written.status_code == 204, written.text
    assert owner.ask("GET", "/v1/notes/a").json() == {"text": "mine"}
    assert owner.ask("GET", "/v1/hello").status_code == 404

    before = owner.files()
    said = owner.make("upgrade", f"ARGS={builds[AFTER]}")
    assert all(f"{name}: {BEFORE} → {AFTER}" in said for name in PACKAGES)
    assert "Unreleased" in said, "what the changelog says of it"
    changed = {name for name, _ in before.items() ^ owner.files().items() if not name.startswith("wheels/")}
    assert changed == {"pyproject.toml"}
    was, now = before["pyproject.toml"].decode(), owner.files()["pyproject.toml"].decode()
    assert now == was.replace(BEFORE, AFTER)
    owner.make("test")
    assert AFTER in owner.run(".venv/bin/tidegate", "--version")
    assert "Promoted" in owner.make("release", AT_ONCE)
    assert owner.ask("GET", "/v1/notes/a").json() == {"text": "mine"}
    assert "is in force" in owner.make("rollback")
