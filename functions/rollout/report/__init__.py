"""The report of a release: what the judge said and what it saw, as JSON and as one HTML page without any other file."""

from functions.rollout.report.page import as_html
from functions.rollout.report.release import Release, as_json

__all__ = ["Release", "as_html", "as_json"]
