"""What is looked at and what rings: the dashboard, the alarms, and the topic that they tell."""

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from tidegate_cdk.api.alarm_topic import alarm_topic
from tidegate_cdk.api.alarms import Watch, alarm, backlog_watches, limit_watches, watches
from tidegate_cdk.api.budget import budget
from tidegate_cdk.api.dashboard import alarm_row, redis_row, release_row, stores_row, storm_row
from tidegate_cdk.api.measures import Backlog, Measures
from tidegate_cdk.api.operations import Operations
from tidegate_cdk.api.store_measures import Stores
from tidegate_cdk.api.thresholds import Thresholds


class Observability(Construct):
    """The dashboard and the alarms of one API, and its budget.

    With `thresholds.topic` every alarm tells an SNS topic; whom that tells is `operations`. Without a queue there is no
    `backlog`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        measures: Measures,
        thresholds: Thresholds,
        stores: Stores,
        backlog: Backlog | None,
        operations: Operations,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = alarm_topic(self, operations) if thresholds.topic else None
        watched = [
            *watches(measures, stores, thresholds),
            *(backlog_watches(backlog, thresholds) if backlog else ()),
            *limit_watches(measures, stores, thresholds),
        ]
        self.alarms = [self._alarm(watch) for watch in watched]
        if operations.budget_usd:
            budget(self, operations.budget_usd, self.topic)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Stack.of(self).stack_name,
            widgets=[
                alarm_row(self.alarms),
                *redis_row(measures),
                *storm_row(measures, backlog),
                *stores_row(stores),
                *release_row(measures),
            ],
        )

    def _alarm(self, watch: Watch) -> cloudwatch.Alarm:
        made = alarm(self, watch, Stack.of(self).stack_name)
        if self.topic is not None:
            action = actions.SnsAction(self.topic)
            made.add_alarm_action(action)
            made.add_ok_action(action)
        return made
