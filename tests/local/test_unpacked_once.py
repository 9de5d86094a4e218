"""Workers share what their function ships, and each finds it in its own folder."""

import zipfile

import pytest

from tidegate_local.engines.ministack.unpacked_once import SharedZipFile


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "layer.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("python/shop/__init__.py", "NAME = 'shop'")
        made.writestr("top.py", "")
    return path


def unpack(archive, folder):
    folder.mkdir()
    with SharedZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def test_every_worker_finds_everything_and_it_is_there_once(archive, tmp_path):
    first, second = unpack(archive, tmp_path / "first"), unpack(archive, tmp_path / "second")
    for folder in (first, second):
        assert sorted(entry.name for entry in folder.iterdir()) == ["python", "top.py"]
        assert (folder / "python/shop/__init__.py").read_text() == "NAME = 'shop'"
    assert (first / "python").resolve() == (second / "python").resolve()


def test_other_contents_are_unpacked_apart(archive, tmp_path):
    first = unpack(archive, tmp_path / "first")
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("python/shop/__init__.py", "NAME = 'new'")
    second = unpack(archive, tmp_path / "second")
    assert (first / "python/shop/__init__.py").read_text() == "NAME = 'shop'"
    assert (second / "python/shop/__init__.py").read_text() == "NAME = 'new'"


def test_a_part_of_it_is_unpacked_where_it_is_asked_for(archive, tmp_path):
    (tmp_path / "part").mkdir()
    with SharedZipFile(archive) as opened:
        opened.extractall(tmp_path / "part", members=["top.py"])
    assert not (tmp_path / "part/top.py").is_symlink()
