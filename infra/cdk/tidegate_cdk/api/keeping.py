"""What outlives its stack."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays


@dataclass(frozen=True)
class Keeping:
    """What outlives its stack: with `data` its tables and logs do, and the tables refuse to be deleted.

    `first_deploy` leaves that refusal out: a create that fails is then taken back whole. Logs end after `logs`.
    """

    data: bool = True
    first_deploy: bool = False
    logs: RetentionDays = RetentionDays.ONE_MONTH

    @property
    def protected(self) -> bool:
        """Whether the stack and its tables refuse to be deleted."""
        return self.data and not self.first_deploy

    @property
    def removal(self) -> RemovalPolicy:
        """What becomes of data and logs with their stack: a create that fails leaves none of it behind."""
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.data else RemovalPolicy.DESTROY
