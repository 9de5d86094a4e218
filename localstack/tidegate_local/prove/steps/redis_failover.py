"""One zone is cut off: the cache fails over, and what is promised for a Redis that is down holds."""

from tidegate_local.prove.cutting import under_cut
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Cut a zone off by FIS: nothing else makes ElastiCache Serverless fail over."""
    return under_cut(site, site.zone_cut())


# FIS: two action-minutes at most, and the traffic.
STEP = Step("redis-failover", "one zone is lost and promises hold", run, longest_s=1500, usd=0.35, needs=("e2e",))
