"""What is looked at and what rings: the dashboard, the alarms, and the topic that they tell."""

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from infra.alarm_topic import alarm_topic
from infra.alarms import Watch, alarm, backlog_watches, limit_watches, watches
from infra.budget import budget
from infra.dashboard import alarm_row, redis_row, release_row, stores_row, storm_row
from infra.measures import Backlog, Measures
from infra.stages import Stage, Thresholds
from infra.store_measures import Stores


class Observability(Construct):
    """The dashboard and the alarms of one stage, and its budget.

    With `thresholds.topic` every alarm tells an SNS topic; whom that tells is `stage.operations`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        measures: Measures,
        stage: Stage,
        thresholds: Thresholds,
        stores: Stores,
        backlog: Backlog,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = alarm_topic(self, stage.operations) if thresholds.topic else None
        watched = [
            *watches(measures, thresholds),
            *backlog_watches(backlog, thresholds),
            *limit_watches(measures, stores, stage, thresholds),
        ]
        self.alarms = [self._alarm(watch) for watch in watched]
        if stage.operations.budget_usd:
            budget(self, stage.operations.budget_usd, self.topic)
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
