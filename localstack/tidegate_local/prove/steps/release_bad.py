"""A bad release is found out and rolled back."""

from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.releasing import release, require
from tidegate_local.prove.site import Site
from tidegate_local.scenarios import demo

_WAY = ("--strategy", "50", "--step-s", "120")


def run(site: Site) -> Seen:
    """Release a copy whose writes fail."""
    failing = demo.of_project().failing(1)
    done = release(site, failing, _WAY)
    require(not done.item.ended_well, f"a release that {failing.about} went through")
    require(done.after == done.before, f"version {done.after} is in force, not {done.before} as before")
    require(bool(done.failed), "no request failed at the bad version, so that nothing was shown")
    failed = [answer for answer in done.failed if not answer.flow.startswith(failing.hurts)]
    others = sorted({f"{answer.flow} ({answer.status or 'no answer'})" for answer in failed})
    require(not others, f"more than {failing.hurts} failed: {', '.join(others)}")
    return Seen(
        f"rolled back: {done.item.reason}; {len(done.failed)} of {len(done.answers)} answers failed until then",
        {"answers_failed": float(len(done.failed))},
    )


STEP = Step("release-bad", "a bad release is rolled back", run, longest_s=4500, usd=0.2, needs=("e2e",))
