"""Who is told of an API on AWS, and what it may cost."""

import re
from dataclasses import dataclass

from tidegate_cdk.known import matches
from tidegate_cdk.setting_error import SettingError

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+")


@dataclass(frozen=True)
class Operations:
    """The alarms' subscriber: an `email`, or a `topic_arn` of SNS that exists; and a `budget_usd` a month, all told."""

    email: str | None = None
    topic_arn: str | None = None
    budget_usd: int | None = None

    def __post_init__(self) -> None:
        """Refuse whom nobody could tell."""
        if self.email is not None and not matches(_EMAIL, self.email):
            raise SettingError(f"alarm_email is {self.email!r}: write an address such as team@example.com")
        if self.topic_arn is not None and not matches(_TOPIC, self.topic_arn):
            raise SettingError(
                f"alarm_topic is {self.topic_arn!r}: write the ARN of an SNS topic, such as "
                "arn:aws:sns:eu-central-1:123456789012:alarms"
            )
        if self.email and self.topic_arn:
            raise SettingError(
                "both alarm_email and alarm_topic are given: subscribe the address to that topic instead"
            )
        if self.budget_usd is not None and self.budget_usd < 1:
            raise SettingError(f"budget is {self.budget_usd}: write whole US dollars a month, 1 or more")
