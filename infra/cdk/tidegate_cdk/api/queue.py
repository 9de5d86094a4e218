"""The overflow's queue and its worker, as settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from tidegate_cdk.api.sizing import LONGEST_RUN_S
from tidegate_cdk.setting_error import SettingError


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
        if self.concurrency < 2:
            raise SettingError(f"a worker with concurrency={self.concurrency}: write 2 or more, as SQS wants it")
