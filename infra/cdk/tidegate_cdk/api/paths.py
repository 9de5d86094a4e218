"""The paths that the edge hands on to the function, and which of them are open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_apigateway as apigateway

from tidegate_cdk.edge_throttles import Throttle
from tidegate_cdk.setting_error import SettingError

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True)
class Paths:
    """What the API serves: all below `base` for callers, and the `health` path and all below it for everybody.

    `base` "/" is every path. `health` None leaves no path open.
    """

    base: str = "/"
    health: str | None = "/health"

    def __post_init__(self) -> None:
        """Refuse what is no path, and an open path above all others."""
        for name, path, taken in (("base", self.base, "/"), ("health", self.health, None)):
            if path != taken and not _PATH.fullmatch(str(path)):
                raise SettingError(f"paths has {name}={path!r}: write a path such as /v1, without a slash at its end")
        if self.base != "/" and f"{self.health}/".startswith(f"{self.base}/"):
            raise SettingError(
                f"paths has health={self.health!r} below base={self.base!r}, which asks for callers: write one beside "
                "it, such as /health"
            )

    @property
    def open(self) -> tuple[str, ...]:
        """The open paths, as API Gateway writes them."""
        return (self.health, f"{self.health}/{{proxy+}}") if self.health else ()

    def add_methods(
        self,
        root: apigateway.IResource,
        integration: apigateway.LambdaIntegration,
        throttled: Mapping[str, Throttle],
        callers: Mapping[str, Any],
    ) -> None:
        """Give the API its methods; those of `throttled` (by path with verb) and below the base ask for `callers`."""
        if self.health:
            health = _resource(root, self.health, default_integration=integration)
            health.add_method("ANY")
            health.add_resource("{proxy+}").add_method("ANY")
        defaults: dict[str, Any] = {
            "default_integration": integration,
            "default_method_options": apigateway.MethodOptions(**callers),
        }
        if self.base == "/":
            root.add_method("ANY", integration, **callers)
            root.add_resource("{proxy+}", **defaults).add_method("ANY")
        else:
            _resource(root, self.base, **defaults).add_resource("{proxy+}").add_method("ANY")
        for method in throttled:
            path, verb = method.rsplit("/", 1)
            if path not in self.open:
                self._add_throttled(root, path, verb, defaults)

    def _add_throttled(self, root: apigateway.IResource, path: str, verb: str, defaults: Mapping[str, Any]) -> None:
        """Give a path a method of its own, which alone can have a throttle of its own.

        A path that has any method is no longer the proxy's: whatever else is asked there would be the edge's 404. So it
        has ANY, too, and so have the paths on the way to it.
        """
        if self.base not in {"/", path} and not path.startswith(f"{self.base}/"):
            raise SettingError(f"there is a throttle for {path}, which isn't below {self.base}: write one that is")
        resource = root
        for part in path.strip("/").split("/"):
            inherited = defaults if resource.path == "/" else {}
            resource = resource.get_resource(part) or resource.add_resource(part, **inherited)
            if not f"{self.base}/".startswith(f"{resource.path}/") and resource.node.try_find_child("ANY") is None:
                resource.add_method("ANY")
        if resource.node.try_find_child(verb) is None:
            resource.add_method(verb)


def _resource(root: apigateway.IResource, path: str, **options: Any) -> apigateway.Resource:
    """Return the resource of a path, whose last one has these options."""
    *above, last = path.strip("/").split("/")
    resource: Any = root
    for part in above:
        resource = resource.get_resource(part) or resource.add_resource(part)
    made: apigateway.Resource = resource.add_resource(last, **options)
    return made
