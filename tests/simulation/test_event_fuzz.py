"""Ten thousand events, whole and broken: none raises, and no 5xx is an accident; the million is a program's."""

from random import Random

import pytest

from tests.simulation.event_fuzz import Fuzz, judged, report
from tests.simulation.event_fuzz_draws import OTHER, draw


@pytest.mark.slow
@pytest.mark.usefixtures("lambda_loop")
@pytest.mark.parametrize("seed", [1, 2])
def test_no_event_is_raised_to_lambda_or_answered_by_accident(seed):
    fuzz = Fuzz(seed)
    found = fuzz.run(5_000)
    fuzz.handler.close()
    assert found.failures == []
    outcomes = {outcome for _, _, outcome in found.counts}
    assert outcomes >= {"answered", "refused: 400", "refused: 429", "not taken"}
    assert {kind for kind, _, _ in found.counts} > {OTHER}
    assert report(found).row_count == 9


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"statusCode": 200, "body": "", "isBase64Encoded": False}, "answered"),
        ({"statusCode": 500, "body": "", "isBase64Encoded": False}, "FAILED: 500"),
        ({"statusCode": 503, "body": "{}", "isBase64Encoded": False}, "FAILED: 503"),
        ({"statusCode": "200", "body": "", "isBase64Encoded": False}, "FAILED: no answer"),
        ({"statusCode": 200, "body": None, "isBase64Encoded": False}, "FAILED: no answer"),
    ],
)
def test_what_counts_as_failed(answer, outcome):
    assert judged(answer) == outcome


def test_an_event_is_made_from_the_seed_and_its_number_alone():
    made = [draw(Random("1/7")) for _ in range(2)]
    strip = [{**each.event, "requestContext": None} for each in made]
    assert strip[0] == strip[1]
