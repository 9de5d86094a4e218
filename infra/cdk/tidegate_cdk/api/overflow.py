"""The queue of what overflows, its dead letters, and the worker that it feeds."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from tidegate_cdk.api.function import LiveFunction
from tidegate_cdk.api.queue import Queue

# What an event source mapping does in the function's name, and what the worker says of messages that have to wait.
_WORKER_ACTIONS = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)
# To have to wait counts as a receive, too: SQS allows no more than this, and the library stays below it.
_MOST_RECEIVES = 1000
_BATCH = 10


class Overflow(Construct):
    """Two FIFO queues: requests in the order of their principal, and those that can't be run."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Queue) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        if settings.queues:
            self.queue, self.dead_letters = settings.queues
        else:
            self.queue, self.dead_letters = self._made()

    def _made(self) -> tuple[sqs.IQueue, sqs.IQueue]:
        enforced = self._settings.enforce_ssl or None
        dead_letters = sqs.Queue(
            self, "DeadLetters", fifo=True, retention_period=Duration.days(14), enforce_ssl=enforced
        )
        queue = sqs.Queue(
            self,
            "Queue",
            fifo=True,
            enforce_ssl=enforced,
            # Nobody's order or rate depends on anybody else's.
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            retention_period=Duration.days(4),
            # Lambda's own advice: six times what the function may take.
            visibility_timeout=Duration.seconds(6 * self._settings.timeout_s),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=_MOST_RECEIVES),
        )
        return queue, dead_letters

    def accept_from(self, api: LiveFunction) -> None:
        """Let a function put requests into the queue, as long as it isn't full."""
        api.allow(["sqs:GetQueueAttributes", "sqs:SendMessage"], [self.queue.queue_arn])
        self._let_use_keys(api)

    def feed(self, worker: LiveFunction) -> None:
        """Have the worker run what is queued, so many batches at once as the settings allow."""
        worker.allow(_WORKER_ACTIONS, [self.queue.queue_arn])
        worker.allow(["sqs:SendMessage"], [self.dead_letters.queue_arn])
        self._let_use_keys(worker)
        mapping = worker.alias.add_event_source_mapping(
            "Requests",
            event_source_arn=self.queue.queue_arn,
            batch_size=_BATCH,
            report_batch_item_failures=True,
            max_concurrency=self._settings.concurrency,
        )
        mapping.node.add_dependency(worker.role)

    def _let_use_keys(self, function: LiveFunction) -> None:
        """Let a function use the keys of the account's that encrypt the queues."""
        for queue in (self.queue, self.dead_letters):
            if queue.encryption_master_key:
                queue.encryption_master_key.grant_encrypt_decrypt(function.role)
