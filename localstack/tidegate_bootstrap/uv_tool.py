"""uv: a recent one of the machine's, else the one that uv.txt pins, installed into .tidegate/uv by pip."""

import base64
import hashlib
import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

PINS = Path(__file__).with_name("uv.txt")
PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
# What reads this uv.lock as its writer meant it.
_RECENT = re.compile(r"uv (0\.1[3-9]|0\.[2-9]\d|[1-9])")


def share_settings() -> None:
    """Let pip and uv each heed the index and the proxy that are set for the other."""
    environ = os.environ
    if index := environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or environ.get("PIP_INDEX_URL"):
        environ["UV_DEFAULT_INDEX"] = index
        environ.setdefault("PIP_INDEX_URL", index)
    if proxy := environ.get("PIP_PROXY"):
        environ.setdefault("HTTPS_PROXY", proxy)


def places(root: Path) -> list[str]:
    """Return the machine's uv and the project's own, as far as they are there, of whatever release."""
    said = (os.environ.get("UV"), shutil.which("uv"), f"{root}/.tidegate/uv/bin/uv")
    return [uv for uv in said if uv and os.access(uv, os.X_OK)]


def recent(root: Path) -> str | None:
    """Return the first that is recent enough."""
    return next((uv for uv in places(root) if _RECENT.match(ask([uv, "--version"]))), None)


def ask(command: list[str], environ: Mapping[str, str] = os.environ) -> str:
    """Return what a program prints; nothing if it fails or isn't for this machine."""
    try:
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def install(root: Path) -> str:
    """Install the pinned uv, checked by its hash, and return it."""
    sys.stderr.write("Installing uv into .tidegate/uv ...\n")
    target = root / ".tidegate" / "uv"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        # A bare Debian has neither pip nor what makes one (ensurepip).
        pip = ["-m", "pip"] if importlib.util.find_spec("pip") else [f"{_download_pip(Path(folder))}/pip"]
        command = [sys.executable, *pip, "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
        environ = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_ROOT_USER_ACTION": "ignore"}
        subprocess.run([*command, "--target", str(target), "--requirement", str(PINS)], env=environ, check=True)
    return str(target / "bin" / "uv")


def _download_pip(folder: Path) -> Path:
    """Fetch pip's wheel, which Python runs as it is."""
    page = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    link = re.search(rf"""href=["']([^"'#]*{re.escape(PIP)}[^"'#]*)""", _read(page).decode())
    wheel = _read(urljoin(page, html.unescape(link[1]))) if link else b""
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise ValueError(f"The index has no {PIP} of the pinned hash")
    (folder / PIP).write_bytes(wheel)
    return folder / PIP


def _read(url: str) -> bytes:
    parts = urlsplit(url)
    request = Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers={"Accept": "text/html"})
    if parts.username:  # which urllib doesn't send by itself
        login = unquote(f"{parts.username}:{parts.password or ''}").encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    with urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content
