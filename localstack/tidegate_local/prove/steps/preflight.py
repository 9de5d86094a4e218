"""Before anything is made: `tidegate doctor` finds nothing that a deploy would fail by."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Ask the doctor."""
    return Seen(site.preflight())


STEP = Step("preflight", "tidegate doctor finds nothing in a deploy's way", run, longest_s=600)
