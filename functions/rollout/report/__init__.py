"""The report of a release: the judge's verdicts and counts, as JSON. Its page is rendered by the reader's tools."""

from functions.rollout.report.release import Release, as_json

__all__ = ["Release", "as_json"]
