"""The README as a newcomer uses it: its first example runs as printed, and an index shows it without a dead link."""

import re
import subprocess
import zipfile
from pathlib import Path

import httpx

from tests.http.uvicorn_server import UvicornServer
from tidegate_build.toolchain import find_uv

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Example(UvicornServer):
    health = "/openapi.json"


def printed(language):
    """The first block of a language."""
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_the_example_has_ten_lines_and_says_how_to_install_it_first():
    assert len([line for line in printed("python").splitlines() if line.strip()]) <= 10
    assert printed("console").startswith("$ pip install tidegate")
    assert README.index("pip install tidegate") < README.index("from fastapi import")


def test_the_example_runs_as_printed_to_its_first_429(tmp_path):
    (tmp_path / "payments.py").write_text(printed("python"), encoding="utf-8")
    assert "$ TIDEGATE_STORE=memory uvicorn payments:app\n" in README
    app_dir = ("--app-dir", str(tmp_path))
    with (
        Example("payments:app", tmp_path / "log", *app_dir, TIDEGATE_STORE="memory") as server,
        httpx.Client(base_url=server.url) as client,
    ):

        def pay(key):
            return client.post("/payments?amount=5", headers={"idempotency-key": key})

        paid = [pay("one"), pay("one")]
        assert [(answer.status_code, answer.json()) for answer in paid] == [(200, {"paid": 5})] * 2
        # Forty at once, and twenty more each second: a client that sends more is refused.
        refused = next((answer for number in range(5000) if (answer := pay(f"key-{number}")).status_code == 429), None)
        assert refused is not None
        assert refused.headers["content-type"] == "application/problem+json"


def test_an_index_shows_the_readme_without_dead_links(tmp_path):
    command = [*find_uv(), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, stderr=subprocess.PIPE)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        told = archive.read(name).decode()
    assert "$ pip install tidegate" in told
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", told) == []
