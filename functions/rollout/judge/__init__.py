"""The canary's judge: pure, from counts to a verdict; it knows no store, no cloud and no clock.

Reads in this order: `counts` (what it is told), `plan` (against what it judges), `wager` (how evidence adds up),
`harm` and `safety` (the two bets), `evidence` (the fold over time buckets), `decision` (the verdict).
"""

from functions.rollout.judge.counts import Counts, TimeBucket, VersionCounts
from functions.rollout.judge.decision import decide, judge
from functions.rollout.judge.evidence import Evidence, after, nothing, weigh
from functions.rollout.judge.plan import Budget, Guard, Plan, Rise, Slowing, Step, Unproven
from functions.rollout.judge.verdict import Finding, Interval, Outcome, Verdict

__all__ = [
    "Budget", "Counts", "Evidence", "Finding", "Guard", "Interval", "Outcome", "Plan", "Rise", "Slowing", "Step",
    "TimeBucket", "Unproven", "Verdict", "VersionCounts", "after", "decide", "judge", "nothing", "weigh",
]  # fmt: skip
