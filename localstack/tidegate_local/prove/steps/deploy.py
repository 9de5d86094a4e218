"""The stage is deployed, from nothing, and its API answers."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site


def run(site: Site) -> Seen:
    """Deploy it."""
    return Seen(site.deploy())


STEP = Step("deploy", "the stage is deployed and its API is ready", run, longest_s=3600, usd=0.05, needs=("preflight",))
