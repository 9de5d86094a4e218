"""The scale-outs' short form: the demand is known in seconds, and a calm moment isn't shed for its starts."""

import pytest

from tests.simulation.scale_out import cases, play

CALM = ["from nothing", "from nothing, with idle ones", "doubled", "one after the other"]
SHORT_OF_ROOM = ["from nothing, half is too much", "doubled, most is too much"]


@pytest.mark.parametrize("environments", [2, 18, 100])
@pytest.mark.parametrize("name", CALM)
def test_a_scale_out_sheds_nothing_and_the_demand_is_known_in_5_s(environments, name):
    played = play(dict(cases(environments))[name], seed=7)
    assert abs(played.error) < 0.2
    assert played.refused == 0


@pytest.mark.parametrize("name", SHORT_OF_ROOM)
def test_the_demand_is_known_where_some_is_refused(name):
    played = play(dict(cases(18))[name], seed=7)
    assert abs(played.error) < 0.2
    assert 0.25 < played.refused / played.came < 0.95
