"""8 processes with one event at the same moment: one run."""

import pytest

from tests.harness.processes import run_at_once
from tests.powertools.workers import layer_of_the_process, pay_all

pytestmark = pytest.mark.slow

ORDERS = [f"order-{n}" for n in range(10)]


@pytest.mark.parametrize("redis", [True, False], ids=["redis and dynamodb", "dynamodb"])
def test_of_many_processes_at_once_one_runs_and_all_learn_its_response(stores, tmp_path, redis):
    till = tmp_path / "till"
    settings = stores.settings() if redis else stores.settings(redis_url=None)
    answers = run_at_once(pay_all, settings, till, ORDERS, processes=8, threads=2, prepare=layer_of_the_process)
    receipts = sorted(till.read_text().splitlines())
    assert [receipt.split()[0] for receipt in receipts] == ORDERS, "one run for each order"
    for number, receipt in enumerate(receipts):
        assert {answer[number] for answer in answers} <= {receipt, None}
        assert any(answer[number] == receipt for answer in answers)
