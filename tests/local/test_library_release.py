"""A release of the library, made for real in a clone of this checkout; nothing leaves it."""

import json
import subprocess
import tarfile
import zipfile
from datetime import date

import pytest

from tidegate_local import toolchain
from tidegate_local.errors import ReleaseError
from tidegate_local.layout import project_folder
from tidegate_local.library_release.release import release
from tidegate_local.library_release.version import changelog, parsed, raised, version_in

pytestmark = pytest.mark.slow

NEXT = "7.0.1"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")
    root = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-tags", str(project_folder()), str(root)], check=True)
    return root


def git(root, *words):
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def make(root, version=NEXT, *, dry_run=False):
    said = []
    folder = release(root, version, [str(toolchain.find_uv())], said.append, dry_run=dry_run)
    return folder, said


def test_a_release_is_packed_listed_checked_and_tagged(clone):
    folder, said = make(clone)
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "describe", "--tags", "--exact-match") == f"v{NEXT}"
    assert git(clone, "log", "-1", "--format=%s") == f"Tidegate {NEXT}"
    for name in ("pyproject.toml", "uv.lock"):
        assert version_in((clone / name).read_text(encoding="utf-8")) == NEXT
    assert f"## [Unreleased]\n\n## [{NEXT}] - 20" in (clone / "CHANGELOG.md").read_text(encoding="utf-8")
    names = {f"tidegate-{NEXT}-py3-none-any.whl", f"tidegate-{NEXT}.tar.gz", f"tidegate-{NEXT}.cdx.json"}
    assert {path.name for path in folder.iterdir()} == names
    with zipfile.ZipFile(folder / f"tidegate-{NEXT}-py3-none-any.whl") as wheel:
        assert "tidegate/stores/redis/lua/admit.lua" in wheel.namelist()
    with tarfile.open(folder / f"tidegate-{NEXT}.tar.gz") as archive:
        assert f"tidegate-{NEXT}/CHANGELOG.md" in archive.getnames()
    listed = json.loads((folder / f"tidegate-{NEXT}.cdx.json").read_text(encoding="utf-8"))
    assert listed["bomFormat"] == "CycloneDX"
    assert {"hiredis", "fastapi"} <= {each["name"] for each in listed["components"]}
    assert "boto3" not in {each["name"] for each in listed["components"]}
    assert said[-1] == f"committed and tagged v{NEXT}; nothing is uploaded"


def test_a_dry_run_makes_all_and_leaves_the_checkout(clone):
    before = git(clone, "rev-parse", "HEAD")
    folder, said = make(clone, dry_run=True)
    assert len(list(folder.iterdir())) == 3
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "tag", "--list") == ""
    assert said[-1] == "dry run: nothing is committed or tagged"


def test_a_step_that_fails_puts_the_files_back(clone):
    with pytest.raises(ReleaseError, match="isn't installed"):
        release(clone, NEXT, ["/nowhere/uv"], print)
    assert git(clone, "status", "--porcelain") == ""


def test_a_checkout_with_changes_is_refused(clone):
    (clone / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(ReleaseError, match="commit or stash"):
        make(clone)
    assert (clone / "README.md").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("version", "why"), [(NEXT, "exists"), ("0.0.9", "older"), ("1.0", "no version"), ("1.0.0rc1", "no version")]
)
def test_a_version_that_is_not_new_is_refused(clone, version, why):
    git(clone, "tag", f"v{NEXT}")
    with pytest.raises(ReleaseError, match=why):
        make(clone, version)


def test_the_changelog_gets_the_version_and_its_date():
    text = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- This.\n\n## [0.1.0] - 2026-01-01\n\n- That.\n"
    assert changelog(text, "0.2.0", date(2026, 3, 1)).startswith(
        "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-03-01\n\n### Added\n\n- This.\n"
    )
    with pytest.raises(ReleaseError, match="no entry"):
        changelog("## [Unreleased]\n\n## [0.1.0]\n\n- That.\n", "0.2.0", date(2026, 3, 1))


def test_only_the_library_s_version_is_raised():
    text = '[[package]]\nname = "other"\nversion = "1.0.0"\n\n[[package]]\nname = "tidegate"\nversion = "0.1.0"\n'
    assert raised(text, "0.2.0") == text.replace('"0.1.0"', '"0.2.0"')
    assert parsed("10.0.2") > parsed("9.9.9")
