import hashlib
import http.server
import io
import json
import platform
import sys
import threading
import zipfile
from contextlib import contextmanager

import pytest

from tidegate_bootstrap import uv_tool, uv_wheel
from tidegate_bootstrap.failure import BootstrapError

UV = f"#!/bin/sh\necho 'uv {uv_tool.PINNED} (of a test)'\n"
NAMES = [
    "uv-0.13.9-py3-none-linux_armv6l.whl",
    "uv-0.13.9-py3-none-macosx_10_12_x86_64.whl",
    "uv-0.13.9-py3-none-macosx_11_0_arm64.whl",
    "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
    "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "uv-0.13.9-py3-none-manylinux_2_28_aarch64.whl",
    "uv-0.13.9-py3-none-musllinux_1_1_i686.whl",
    "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
    "uv-0.13.9-py3-none-win_amd64.whl",
]


@pytest.fixture(autouse=True)
def _no_uv_on_this_machine(monkeypatch, tmp_path):
    for name in ("UV", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setattr(uv_tool.shutil, "which", lambda name: None)


def put(place, content=UV):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    place.chmod(0o755)
    return place


def test_a_uv_on_path_is_used(tmp_path, monkeypatch):
    there = put(tmp_path / "path" / "uv")
    monkeypatch.setattr(uv_tool.shutil, "which", lambda name: str(there))
    assert uv_tool.find(tmp_path) == there


@pytest.mark.parametrize("says", ["uv 0.12.30", "uv 0.4.1 (abc)", "something else", ""])
def test_a_uv_that_is_too_old_is_not(tmp_path, monkeypatch, says):
    there = put(tmp_path / "path" / "uv", f"#!/bin/sh\necho '{says}'\n")
    monkeypatch.setattr(uv_tool.shutil, "which", lambda name: str(there))
    assert uv_tool.find(tmp_path) is None


def test_the_projects_own_is_found_again(tmp_path):
    own = put(tmp_path / ".tidegate" / "uv" / "bin" / "uv")
    assert uv_tool.find(tmp_path) == own


def test_the_second_way_is_tried_when_the_first_fails(tmp_path, monkeypatch):
    def without_ensurepip(place):
        """First."""
        place.parent.mkdir(parents=True)
        place.with_name("half").touch()
        raise BootstrapError("ensurepip is not available")

    def by_another_way(place):
        """Second."""
        assert not place.parent.exists()
        put(place)

    monkeypatch.setattr(uv_tool, "_with_venv", without_ensurepip)
    monkeypatch.setattr(uv_tool, "_with_pip", by_another_way)
    assert uv_tool.install(tmp_path) == tmp_path / ".tidegate" / "uv" / "bin" / "uv"


def test_when_no_way_works_each_says_why(tmp_path, monkeypatch):
    def failing(reason, name):
        def way(place):
            raise BootstrapError(reason)

        way.__doc__ = name
        return way

    monkeypatch.setattr(uv_tool, "_with_venv", failing("no ensurepip", "One:"))
    monkeypatch.setattr(uv_tool, "_with_pip", failing("no pip", "Two:"))
    monkeypatch.setattr(uv_tool, "_from_wheel", failing("no network", "Three:"))
    with pytest.raises(BootstrapError, match=r"One: no ensurepip(.|\n)*Two: no pip(.|\n)*Three: no network") as caught:
        uv_tool.install(tmp_path)
    assert "docs.astral.sh/uv" in str(caught.value)
    assert not (tmp_path / ".tidegate" / "uv").exists()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "expected"),
    [
        ("linux", "x86_64", "glibc", "manylinux_2_17_x86_64"),
        ("linux", "aarch64", "glibc", "manylinux_2_17_aarch64"),
        ("linux", "x86_64", "", "musllinux_1_1_x86_64"),
        ("linux", "aarch64", "", "musllinux_1_1_aarch64"),
        ("darwin", "arm64", "", "macosx_11_0_arm64"),
        ("darwin", "x86_64", "", "macosx_10_12_x86_64"),
    ],
)
def test_the_wheel_of_the_platform_is_picked(monkeypatch, system, machine, libc, expected):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "2.36"))
    assert expected in uv_wheel.pick(NAMES)


def test_a_platform_without_a_wheel_gets_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    assert uv_wheel.pick(NAMES) is None


@contextmanager
def index(pages):
    """A package index on loopback: pages by path, each (media type, body); asks for a password if one has it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = pages.get(self.path, (None, b""))
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", seen
        server.shutdown()


def wheel() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"uv-{uv_tool.PINNED}.data/scripts/uv", UV)
    return packed.getvalue()


def name_for_here() -> str:
    system, machine = uv_wheel._platform()
    return f"uv-{uv_tool.PINNED}-py3-none-{system}_1_1_{machine}.whl"


def json_page(digest: str) -> bytes:
    file = {"filename": name_for_here(), "url": f"../../files/{name_for_here()}", "hashes": {"sha256": digest}}
    return json.dumps({"files": [file]}).encode()


def html_page(digest: str) -> bytes:
    return f'<a href="../../files/{name_for_here()}#sha256={digest}">uv</a>'.encode()


@pytest.mark.parametrize(("kind", "page"), [(uv_wheel._JSON, json_page), ("text/html", html_page)])
@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_it_comes_from_the_index_of_the_environment(tmp_path, monkeypatch, kind, page, variable):
    content = wheel()
    pages = {
        "/simple/uv/": (kind, page(hashlib.sha256(content).hexdigest())),
        f"/files/{name_for_here()}": ("application/octet-stream", content),
    }
    with index(pages) as (address, seen):
        monkeypatch.setenv(variable, f"http://me:p%40ss@{address}/simple")
        uv_wheel.unpack(uv_tool.PINNED, tmp_path / "uv" / "bin" / "uv")
    assert uv_tool._release(str(tmp_path / "uv" / "bin" / "uv")) >= uv_tool.OLDEST
    assert {login for _, login in seen} == {"Basic bWU6cEBzcw=="}


def test_a_wheel_of_another_hash_is_not_unpacked(tmp_path, monkeypatch):
    pages = {
        "/simple/uv/": (uv_wheel._JSON, json_page("0" * 64)),
        f"/files/{name_for_here()}": ("application/octet-stream", wheel()),
    }
    with index(pages) as (address, _):
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{address}/simple/")
        with pytest.raises(BootstrapError, match="another hash"):
            uv_wheel.unpack(uv_tool.PINNED, tmp_path / "uv")
    assert not (tmp_path / "uv").exists()


def test_an_index_without_uv_is_named(tmp_path, monkeypatch):
    with index({}) as (address, _):
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{address}/simple/")
        with pytest.raises(BootstrapError, match=rf"http://{address}/simple/uv/: HTTP Error 404"):
            uv_wheel.unpack(uv_tool.PINNED, tmp_path / "uv")
