"""What is looked at and what rings: the dashboard, the alarms, and the topic that they tell."""

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.alarms import Watch, alarm, backlog_watches, watches
from infra.dashboard import alarm_row, redis_row, release_row, storm_row
from infra.function import LiveFunction
from infra.gateway import Gateway
from infra.measures import Backlog, Measures
from infra.stages import Thresholds


class Observability(Construct):
    """The dashboard and the alarms of one stage.

    With `thresholds.topic` every alarm tells an SNS topic, to which nobody is subscribed yet: who is told is a
    team's to say. `backlog` is None where no request is queued.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        gateway: Gateway,
        function: LiveFunction,
        thresholds: Thresholds,
        backlog: Backlog | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        measures = Measures(gateway=gateway, function=function, least_requests=thresholds.least_requests)
        self.topic = sns.Topic(self, "Topic") if thresholds.topic else None
        watched = watches(measures, thresholds) + (backlog_watches(backlog, thresholds) if backlog else [])
        self.alarms = [self._alarm(watch) for watch in watched]
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=Stack.of(self).stack_name,
            widgets=[
                alarm_row(self.alarms),
                *redis_row(measures),
                *storm_row(measures, backlog),
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
