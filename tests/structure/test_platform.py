"""The platform knows no application: what is a project's own stands in its pyproject.toml and in its own folders."""

import re
from pathlib import Path

import pytest

from tidegate_build.sources import sources

ROOT = Path(__file__).parents[2]
FOLDERS = ("infra", "localstack", "functions/rollout", "functions/migrate")
# It writes a project that is the sample, for whoever wants to begin with that.
MAKER = ROOT / "localstack/tidegate_local/new"
SAMPLE = re.compile("shop", re.IGNORECASE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_platform_does_not_know_the_sample(folder):
    files = [file for file in sources(ROOT / folder) if not file.is_relative_to(MAKER)]
    assert files, f"nothing is in {folder}"
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if SAMPLE.search(line)
    ]
    named = [str(file.relative_to(ROOT)) for file in files if SAMPLE.search(str(file.relative_to(ROOT)))]
    assert [*found, *named] == []
