"""The steps of a proof, each in a file of its own; PLAN has them in their order, END takes everything away."""

from tidegate_local.prove.plan import checked
from tidegate_local.prove.steps import (
    deploy,
    destroy,
    fault_demo,
    figures,
    network_cut,
    preflight,
    redis_failover,
    release_aborted,
    release_bad,
    release_good,
    suite,
)

END = destroy.STEP
PLAN = tuple(
    checked(
        [
            preflight.STEP,
            deploy.STEP,
            suite.STEP,
            release_good.STEP,
            release_bad.STEP,
            release_aborted.STEP,
            redis_failover.STEP,
            network_cut.STEP,
            fault_demo.STEP,
            figures.STEP,
        ]
    )
)
