"""The overflow's queue and its worker, as settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from tidegate_cdk.api.sizing import LONGEST_RUN_S
from tidegate_cdk.setting_error import SettingError

_MOST_BATCHES = 1000
# SQS's visibility timeout where none is said.
_USUAL_S = 30


@dataclass(frozen=True)
class Queue:
    """The queue of requests that a limit refused, and the worker that runs them.

    `handler` is the worker's, such as app.worker, in the API's own `code` and beside its `layers` where these are None.
    `timeout_s` is for a batch, of which it begins nothing in the last third, so that a request has as long as in the
    API; `concurrency` caps the batches at once. `queues` are FIFO queues that exist, the second for what can't be run;
    their visibility timeout has to be six times `timeout_s`, as Lambda advises.
    """

    handler: str
    code: lambda_.Code | None = None
    layers: Sequence[lambda_.ILayerVersion] | None = None
    timeout_s: int = 60
    concurrency: int = 10
    enforce_ssl: bool = True
    queues: tuple[sqs.IQueue, sqs.IQueue] | None = None

    def __post_init__(self) -> None:
        """Refuse what Lambda and SQS would in the middle of a deployment."""
        if not 1 <= self.timeout_s <= LONGEST_RUN_S:
            raise SettingError(
                f"a worker with timeout_s={self.timeout_s}: write 1 to {LONGEST_RUN_S}, as long as Lambda lets a "
                "function run"
            )
        if not 2 <= self.concurrency <= _MOST_BATCHES:
            raise SettingError(
                f"a worker with concurrency={self.concurrency}: write 2 to {_MOST_BATCHES}, as SQS wants it"
            )
        if self.queues:
            self._check(*self.queues)

    def _check(self, queue: sqs.IQueue, dead_letters: sqs.IQueue) -> None:
        if queue.node.path == dead_letters.node.path:
            raise SettingError("a worker with queues that are one: write two, the second for what can't be run")
        if not (queue.fifo and dead_letters.fifo):
            raise SettingError("a worker with queues that are no FIFO queues: write sqs.Queue(…, fifo=True) for both")
        made = queue.node.default_child
        if isinstance(made, sqs.CfnQueue) and (made.visibility_timeout or _USUAL_S) < self.timeout_s:
            raise SettingError(
                f"a worker with timeout_s={self.timeout_s} and a queue whose visibility timeout is shorter, which "
                f"Lambda refuses: write visibility_timeout=Duration.seconds({6 * self.timeout_s})"
            )
