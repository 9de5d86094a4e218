"""Makes pages of the site of what lies around docs/: the architecture, the changelog, and what else pages link to.

Links are written for a reader of the repository. Here each is turned into one between pages of the site; a link to a
file that is no page becomes its text.
"""

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
FOLDER = "repository/"
AROUND = (
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "localstack/host_mode/README.md",
    "localstack/process_executor/README.md",
)
LINK = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FENCED = re.compile(r"(^[ ]*```.*?^[ ]*```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages around docs/."""
    for path in AROUND:
        files.append(File.generated(config, FOLDER + path, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  the hook's
    """Turn a page's links into links of the site."""
    source = page.file.src_uri

    def linked(found: re.Match[str]) -> str:
        target = urlsplit(found["target"])
        if target.scheme or not target.path:
            return found[0]
        there = _on_site(posixpath.normpath(posixpath.join(posixpath.dirname(_in_repository(source)), target.path)))
        if there is None or files.get_file_from_path(there) is None:
            return found["text"] if there is None else found[0]
        link = posixpath.relpath(there, posixpath.dirname(source) or ".")
        anchor = f"#{target.fragment}" if target.fragment else ""
        return f"{found['mark']}[{found['text']}]({link}{anchor})"

    # Code is no text: every second part is a fenced block.
    parts = FENCED.split(markdown)
    return "".join(part if place % 2 else LINK.sub(linked, part) for place, part in enumerate(parts))


def _in_repository(source: str) -> str:
    return source.removeprefix(FOLDER) if source.startswith(FOLDER) else f"docs/{source}"


def _on_site(path: str) -> str | None:
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return FOLDER + path if path in AROUND else None
