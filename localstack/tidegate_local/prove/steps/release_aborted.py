"""A release that a person aborts is rolled back."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.releasing import none_failed, release, require
from tidegate_local.prove.site import Site
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place
from tidegate_local.scenarios import demo

_WAY = ("--strategy", "50", "--step-s", "300")


def run(site: Site) -> Seen:
    """Release a copy that does the same, and abort it as soon as it has traffic."""
    seen_at: list[float] = []

    def abort(item: ReleaseItem, place: Place) -> bool:
        if item.state == "running" and item.percent > 0 and place.releases().demand("abort"):
            seen_at.append(item.percent)
        return bool(seen_at) or item.state != "running"

    done = release(site, demo.same(demo.of_project(), "a release that is aborted"), _WAY, abort)
    require(bool(seen_at), f"it ended before it could be aborted: {done.item.reason}")
    require(not done.item.ended_well, "the release went through, though it was told to abort")
    require(done.after == done.before, f"version {done.after} is in force, not {done.before} as before")
    none_failed(done)
    return Seen(f"aborted at {seen_at[0]:g} %, version {done.before} is in force as before")


STEP = Step("release-aborted", "an aborted release is rolled back", run, longest_s=4500, usd=0.2, needs=("e2e",))
