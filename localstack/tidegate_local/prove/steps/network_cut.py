"""The functions are cut off from the cache, and what is promised for a Redis that is down holds."""

from tidegate_local.prove.cutting import under_cut
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Cut the subnets off from the rest of the VPC by FIS; DynamoDB's endpoint stays reachable."""
    return under_cut(site, site.cache_cut())


STEP = Step(
    "network-cut", "the cache can't be reached and promises hold", run, longest_s=1500, usd=0.35, needs=("e2e",)
)
