"""The demo `tidegate scenario redis-down`: killed, hung and started again empty."""

from tidegate_local.prove.cutting import promised
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Play it."""
    return promised(site.demo(), timed=site.timed)


STEP = Step("fault-demo", "what is promised for a Redis that is down holds", run, longest_s=1200, needs=("e2e",))
