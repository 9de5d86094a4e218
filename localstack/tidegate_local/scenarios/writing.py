"""Where a report goes: JSON, a page and a picture in .tidegate/reports; Markdown, page and picture in the documents."""

from pathlib import Path

from tidegate_local.scenarios import chart, page, report
from tidegate_local.scenarios.report import Report


def write(made: Report, folder: Path, docs: Path | None) -> list[Path]:
    """Write a report; returns the files. Without matplotlib there is no picture.

    `docs` is the documentation's folder, whose `scenarios` gets the report, too.
    """
    written = _write(made, folder)
    json_file = folder / f"{made.name}.json"
    report.write_json(made, json_file)
    return [*written, json_file, *(_write(made, docs / "scenarios", markdown=True) if docs else ())]


def _write(made: Report, folder: Path, *, markdown: bool = False) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{made.name}.png" if chart.can_draw() else None
    if picture:
        chart.draw(made, picture)
    html = folder / f"{made.name}.html"
    html.write_text(page.as_html(made, picture), encoding="utf-8")
    if not markdown:
        return [*([picture] if picture else []), html]
    text = folder / f"{made.name}.md"
    text.write_text(page.as_markdown(made, picture.name if picture else None), encoding="utf-8")
    return [*([picture] if picture else []), html, text]
