"""The platform knows no application: what is a project's own stands in its pyproject.toml and in its own folders."""

import re
from pathlib import Path

import pytest

from infra.sources import sources

ROOT = Path(__file__).parents[2]
FOLDERS = ("infra", "localstack", "functions/rollout", "functions/migrate")
SAMPLE = re.compile("shop", re.IGNORECASE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_platform_does_not_know_the_sample(folder):
    files = sources(ROOT / folder)
    assert files, f"nothing is in {folder}"
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if SAMPLE.search(line)
    ]
    named = [str(file.relative_to(ROOT)) for file in files if SAMPLE.search(str(file.relative_to(ROOT)))]
    assert [*found, *named] == []
