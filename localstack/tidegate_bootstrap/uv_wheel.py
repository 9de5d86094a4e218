"""uv out of its wheel, with the standard library alone: a Debian without python3-venv has neither venv nor pip."""

import base64
import hashlib
import io
import json
import os
import platform
import re
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from tidegate_bootstrap.failure import BootstrapError

_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_JSON = "application/vnd.pypi.simple.v1+json"
_TIMEOUT_S = 60
_LINK = re.compile(r'href="([^"]*/)?(uv-[^"/#]+\.whl)#sha256=([0-9a-f]{64})"')


def unpack(version: str, place: Path) -> None:
    """Put the executable of that version at a place.

    Raises:
        BootstrapError: the index doesn't answer, has no wheel for this platform, or one with another hash.
    """
    index = next(filter(None, map(os.environ.get, _INDEX_VARIABLES)), "https://pypi.org/simple")
    page = index.rstrip("/") + "/uv/"
    wheels = {name: link for name, link in _listed(page).items() if name.startswith(f"uv-{version}-")}
    name = pick(list(wheels))
    if name is None:
        raise BootstrapError(f"the index has no wheel of uv {version} for {sys.platform} {platform.machine()}")
    url, expected = wheels[name]
    content, _ = _get(url)
    if hashlib.sha256(content).hexdigest() != expected:
        raise BootstrapError(f"{name} has another hash than the index says")
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(wheel.read(f"uv-{version}.data/scripts/uv"))
    place.chmod(0o755)


def pick(wheels: list[str]) -> str | None:
    """Return the file name of the wheel that runs here, None if there is none."""
    system, machine = _platform()

    def fits(wheel: str) -> bool:
        tags = wheel.removesuffix(".whl").rpartition("-")[2].split(".")
        return any(tag.startswith(f"{system}_") and tag.endswith(f"_{machine}") for tag in tags)

    # Sorted, manylinux_2_17 comes before manylinux_2_28: the older libc runs in more places.
    return next(iter(sorted(filter(fits, wheels))), None)


def _platform() -> tuple[str, str]:
    """The platform as wheels name it, such as ("manylinux", "x86_64")."""
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        return "macosx", machine
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return libc, {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def _listed(page: str) -> dict[str, tuple[str, str]]:
    """What an index lists: by file name, the address and the SHA-256."""
    body, kind = _get(page, accept=f"{_JSON}, text/html;q=0.1")
    if kind == _JSON:
        files = json.loads(body)["files"]
        return {
            file["filename"]: (urljoin(page, file["url"]), file["hashes"]["sha256"])
            for file in files
            if "sha256" in file["hashes"]
        }
    found = _LINK.findall(body.decode("utf-8", "replace"))
    return {unquote(name): (urljoin(page, folder + name), digest) for folder, name, digest in found}


def _get(url: str, accept: str = "*/*") -> tuple[bytes, str]:
    """Fetch a page: its body, and its media type without parameters."""
    parts = urlsplit(url)
    headers = {"Accept": accept}
    if parts.username:
        # urllib doesn't send the name and password of a URL by itself.
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        request = urllib.request.Request(bare, headers=headers)  # noqa: S310 - the index is the user's own choice
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - see above
            return answer.read(), answer.headers.get_content_type()
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise BootstrapError(f"{bare}: {error}") from error
