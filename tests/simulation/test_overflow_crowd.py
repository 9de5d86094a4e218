"""Thousands that one caller has queued leave the others' waits as they were."""

from dataclasses import replace

from tests.simulation.overflow_crowd import Plan, measured

SHORT = Plan(crowd=2000, lasts_s=40, workers=4)


def test_a_caller_with_thousands_leaves_the_others_waits_as_they_were():
    _, alone_s, _, _ = measured(replace(SHORT, crowd=0))
    _, beside_s, _, run = measured(SHORT)
    assert beside_s <= alone_s + 0.1
    assert run >= SHORT.rate_per_s * SHORT.lasts_s * 0.8, "the crowd gets what its limit allows"
