"""An account of what a guarded GET's time is spent on: `python -m tests.benchmarks.profile_request`, reported."""

import json

from tests.benchmarks import processes, profile_request
from tests.benchmarks.report import Section, Table

HOW = (
    "The request of the table above with one limit and Redis on the same core, so that times are work and repeat "
    "well. The first table is measured in turns; the log line costs the difference of its two `added` rows. The "
    "others are a sampling profiler's (a look at the stack every 0.4 ms, waiting included): a sample counts for the "
    "library's innermost function on the stack, with what that calls outside the library, and µs are its share of "
    "the measured request. Python looks at signals when it enters a function, so that a part of what a long call "
    "takes counts for the function after it. `python -m tests.benchmarks.profile_request 3` prints the same for "
    "three limits, and more functions."
)


def test_where_the_time_goes(tmp_path, report):
    result = tmp_path / "account.json"
    processes.run("tests.benchmarks.profile_request", "1", str(result))
    told = profile_request.Account(**json.loads(result.read_text()))
    section = Section("where-the-time-goes", "Where a guarded GET's time goes", HOW)
    section.tables = [Table(title, columns, rows[:16]) for title, columns, rows in profile_request.tables(told)]
    report.add(section)
    assert sum(share for _, share in told.stations) > 0.99
