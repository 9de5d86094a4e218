"""A good release goes through, and no client notices."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.releasing import none_failed, release, require
from tidegate_local.prove.site import Site
from tidegate_local.scenarios import demo


def run(site: Site) -> Seen:
    """Release a copy that does the same."""
    done = release(site, demo.same(demo.of_project(), "a good release"), ())
    require(done.item.ended_well, f"a good release was rolled back: {done.item.reason}")
    require(done.after != done.before, f"version {done.before} is in force still")
    none_failed(done)
    return Seen(
        f"version {done.before} → {done.after}; none of {len(done.answers)} answers failed",
        {"release_s": float(done.item.ended - done.item.began)},
    )


STEP = Step("release-good", "a good release goes through unnoticed", run, longest_s=4500, usd=0.2, needs=("e2e",))
