"""Everything that the proof made is taken away, what the stack retains included."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Destroy it."""
    return Seen(site.destroy())


# Lambda gives the network interfaces of a VPC's functions back after tens of minutes.
STEP = Step("destroy", "nothing is left", run, longest_s=5400)
