"""The canary's judge: pure, from counts to a verdict; it knows no store, no cloud and no clock.

Read it in this order: `counts` (its input), `plan` (tolerances and steps), `wager` (how evidence adds up), `harm` and
`safety` (the bets), `spread` (events rather than failures), `metric` (one metric's evidence), `routes`, `outage` (times
without a comparison), `evidence` (the fold over time buckets), `wanting` (the proof, and the requests that it still
needs), `decision` (the verdict).
"""

from functions.rollout.judge.counts import Counts, RouteCounts, Spread, TimeBucket, VersionCounts
from functions.rollout.judge.decision import decide, judge, standing_still
from functions.rollout.judge.evidence import Evidence, after, nothing, weigh
from functions.rollout.judge.plan import Budget, Guard, Outage, Plan, Refusals, Rise, Slowing, Step, Unproven
from functions.rollout.judge.verdict import Finding, Interval, Outcome, Verdict
from functions.rollout.judge.wanting import replays

__all__ = [
    "Budget", "Counts", "Evidence", "Finding", "Guard", "Interval", "Outage", "Outcome", "Plan", "Refusals", "Rise",
    "RouteCounts", "Slowing", "Spread", "Step", "TimeBucket", "Unproven", "Verdict", "VersionCounts", "after", "decide",
    "judge", "nothing", "replays", "standing_still", "weigh",
]  # fmt: skip
