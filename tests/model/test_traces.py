"""What a release did is explained by the model; what no release does is refused, at its first wrong sighting."""

import pytest

from tests.model.release_traces import BEGINS, ENDS, Sighting, first_refused

PLAN = (10, 50)
READY = [
    BEGINS,
    Sighting("Lock"),
    Sighting("Before", 0, 0, "locked"),
    Sighting("Expand", 0, 0, "begin"),
    Sighting("Ready", 0, 0, "done"),
    Sighting("Warm", 0, 0, "ready"),
    Sighting("Past", 0, 0, "shift"),
]
FIRST = [Sighting("Shift", 0, 0, "shift"), Sighting("Judge", 0, 10, "watch")]
SECOND = [Sighting("Shift", 1, 10, "shift"), Sighting("Judge", 1, 50, "watch")]
PROMOTED = [
    Sighting("Promote", 2, 50, "promote"),
    Sighting("Answer", 2, 50, "SUCCESS"),
    Sighting("Contract", 2, 50, "SUCCESS"),
    Sighting("Prune", 2, 50, "SUCCESS"),
    ENDS,
]
BACK = [Sighting(name, 0, 10, "roll_back") for name in ("Fence", "Unshift", "RollBack")]
TOLD = [Sighting("Answer", 0, 10, "FAILED"), ENDS]
GOOD = [*READY, *FIRST, *SECOND, *PROMOTED]


@pytest.mark.parametrize(
    "seen",
    [
        GOOD,
        [*READY, *FIRST, *FIRST[-1:], *FIRST[-1:], *SECOND, *PROMOTED],
        [*READY, *FIRST, *BACK, *TOLD],
        [*READY, *FIRST, *BACK, Sighting("Undo", 0, 10, "FAILED"), *TOLD],
        [*READY, *FIRST],
    ],
    ids=["good", "looked at more than once", "bad", "bad, its migration taken back", "under way"],
)
def test_what_a_release_does_is_explained(seen):
    assert first_refused(seen, PLAN) is None


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        ([*READY, *FIRST, *PROMOTED], PROMOTED[0]),
        ([*READY, *SECOND, *PROMOTED], SECOND[0]),
        ([*READY, FIRST[0], SECOND[0]], SECOND[0]),
        ([*READY, FIRST[0], Sighting("Judge", 0, 20, "watch")], Sighting("Judge", 0, 20, "watch")),
        ([*READY, *FIRST, BACK[0], *BACK[2:]], BACK[2]),
        ([*READY, *FIRST, *BACK, *SECOND], SECOND[0]),
        ([*READY, *FIRST, *BACK, Sighting("Answer", 0, 10, "SUCCESS")], Sighting("Answer", 0, 10, "SUCCESS")),
        ([*READY[:3], *READY[4:]], READY[4]),
        ([*GOOD[:-4], *GOOD[-3:]], GOOD[-3]),
        ([*READY, ENDS], ENDS),
    ],
    ids=[
        "promoted after the first step",
        "the second step first",
        "a step that nobody judged",
        "a share that isn't the plan's",
        "taken back without its traffic",
        "shifted once it was taken back",
        "a success that is none",
        "no look at the migrations",
        "contracted before the answer",
        "over before it began",
    ],
)
def test_what_no_release_does_is_refused(seen, wrong):
    assert first_refused(seen, PLAN) == wrong


def test_the_plan_is_that_of_the_release():
    assert first_refused(GOOD, (10, 60)) == SECOND[1]
