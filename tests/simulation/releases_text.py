"""What docs/judge.md says before its tables."""

INTRODUCTION = """# The judge, on simulated releases

Written by `python -m tests.simulation.releases --seed {seed} --releases {releases} --write`; every number is of \
that run, {releases} releases in each cell. Each release is led by a stage's own plan (`infra/stages.py`, \
`infra/cdk/tidegate_cdk/way.py`) as the state machine does it, look by look. Cells are percentages: \
**pass / fail / held**. A healthy release that fails is a false rollback; a bad one that passes is missed; one that \
is held waits for a person, and is rolled back if nobody comes (`Rollout.unattended`).

## What is assumed

- Requests that are independent *given their environment*: failures that cluster in one environment are told apart \
from others by how they lie over the environments, which the application's counts tell \
(`functions/rollout/judge/spread.py`). What exceeds chance counts twice, for such a moment lies in two of the half \
minutes that are compared. Where a \
version has one or two environments that can't be told, and there no 30 s of evidence count for more than a factor \
of 4 or 5, so that two bad moments of one environment don't end a release; three or more may.
- What both versions share, they share in the same half minute. While stable itself fails a tenth of its requests, \
and three times what is usual, looks aren't counted, for three minutes in all; what lasts is judged as it is.
- A cold cache is warm within the first minute of a step: latency isn't compared in it.
- No regression is a canary within the tolerances of [releases.md](releases.md#the-judge). Between them and a \
regression, either verdict is right.
- Replayed requests fail as clients' do. What only a POST does, they don't show.
- Nothing here is of a real account's traffic.

## Why the bake is at 75 %

After the last step a release bakes for 14 minutes, judged, with the way back open, so that it is watched for 17 \
minutes or more, whatever the traffic. At 100 % there would be nothing to compare with but stable's past, which a \
shared outage makes worthless. The table of the bake's weights shows what the others detect: what a comparison can \
tell hangs on the smaller of both versions, so that 95 % finds least where there are few requests, and hurts most \
clients when it does. 75 % is close to 50 % in what it finds, and shows the canary under half as much load again.

## The worlds

{worlds}

The rules beside it are what the documentation of Argo Rollouts, Flagger and Kayenta shows, not those programs; \
`tests/simulation/releases_peers.py` says what they do."""
