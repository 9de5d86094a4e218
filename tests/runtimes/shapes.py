"""Every shape in which the application runs, started for real; each is asked in the same way."""

import json
import os
import signal
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.harness.lambda_events import alb_event, function_url_event, http_api_event, rest_event
from tests.harness.ports import free_port
from tests.harness.runtime_api import Invocation, RuntimeApi
from tests.harness.server_process import ServerProcess
from tests.harness.waiting import eventually

_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_PATIENCE_S = 10.0
APP = "tests.runtimes.shop:app"

FUNCTION = {
    # From 3.12 on the runtime waits for events on a thread of its own, so that SIGTERM is heard meanwhile.
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "shop",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "shop",
    "AWS_LAMBDA_LOG_STREAM_NAME": "shop",
}
MANAGED = {"AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances", "AWS_LAMBDA_MAX_CONCURRENCY": "2"}
SNAPSHOT = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
STREAMS = {"AWS_LWA_INVOKE_MODE": "response_stream"}

Arguments = Callable[[int], list[str]]
Event = Callable[..., dict[str, Any]]


class Shape(NamedTuple):
    """One way to run the application.

    Attributes:
        name: as in docs/runtimes.md.
        event: makes the events that it is invoked with; None: it is a server, and gets requests.
        server: the server's command line, by its port; None: Lambda's own runtime calls a handler.
        variables: its environment variables.
        at_once: whether it answers others while a request runs.
        streams: whether a response's pieces come while the handler makes more.
        bounded: whether the platform ends a request at a time that is known.
        counted_as: the function's name and version under which outcomes are counted.
        workers: how many processes run the application.
    """

    name: str
    event: Event | None = None
    server: Arguments | None = None
    variables: Mapping[str, str] = {}
    at_once: bool = False
    streams: bool = False
    bounded: bool = False
    counted_as: tuple[str, str] = ("shop", "7")
    workers: int = 1


def uvicorn(*options: str) -> Arguments:
    return lambda port: [sys.executable, "-m", "uvicorn", APP, "--port", str(port), *options]


def gunicorn(*options: str, app: str = APP, worker: str = "uvicorn_worker.UvicornWorker") -> Arguments:
    return lambda port: [
        *(str(_BIN / "gunicorn"), app, "--worker-class", worker, "--bind", f"127.0.0.1:{port}"),
        *("--workers", "2", "--no-control-socket", *options),
    ]


def hypercorn(*options: str) -> Arguments:
    return lambda port: [str(_BIN / "hypercorn"), APP, "--bind", f"127.0.0.1:{port}", *options]


def granian(*options: str) -> Arguments:
    command = [str(_BIN / "granian"), "--interface", "asgi", APP, "--host", "127.0.0.1"]
    return lambda port: [*command, "--port", str(port), *options]


def _on_lambda(name: str, event: Event = rest_event, **variables: str) -> Shape:
    return Shape(name, event, variables=FUNCTION | variables, bounded=True)


def _behind_adapter(name: str, event: Event, *, streams: bool = False, **variables: str) -> Shape:
    adapter = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "AWS_LWA_READINESS_CHECK_PATH": "/health"}
    variables = FUNCTION | adapter | (STREAMS if streams else {}) | variables
    at_once = "AWS_LAMBDA_MAX_CONCURRENCY" in variables
    return Shape(name, event, uvicorn(), variables, at_once, streams, bounded=True)


def _server(name: str, server: Arguments, workers: int = 1) -> Shape:
    said = {"TIDEGATE_TRUSTED_PROXIES": "1", "TIDEGATE_COUNT_OUTCOMES": "1", "TIDEGATE_RELEASE": "7"}
    return Shape(name, None, server, said, at_once=True, streams=True, counted_as=("local", "7"), workers=workers)


SHAPES = (
    _on_lambda("REST API"),
    _on_lambda("HTTP API", http_api_event),
    _on_lambda("function URL", function_url_event),
    _on_lambda("ALB", alb_event),
    _on_lambda("SnapStart", **SNAPSHOT),
    _on_lambda("Managed Instances", **MANAGED)._replace(at_once=True, workers=2),
    _behind_adapter("Web Adapter", rest_event),
    _behind_adapter("Web Adapter, streaming", function_url_event, streams=True),
    _behind_adapter("Web Adapter, SnapStart", http_api_event, **SNAPSHOT),
    _behind_adapter("Web Adapter, Managed Instances", function_url_event, streams=True, **MANAGED),
    _server("uvicorn", uvicorn("--loop", "asyncio")),
    _server("uvicorn, uvloop", uvicorn("--loop", "uvloop")),
    _server("gunicorn", gunicorn(), 2),
    _server("gunicorn --preload", gunicorn("--preload", app="tests.runtimes.at_import:app"), 2),
    _server("hypercorn", hypercorn("--workers", "2"), 2),
    _server("granian", granian("--workers", "2"), 2),
)


class Runner:
    """A shape that runs, and its clients. `start` may be called again after `terminate`."""

    def __init__(self, shape: Shape, folder: Path, redis_url: str, **variables: str) -> None:
        self.shape = shape
        self.folder = folder
        self._api = RuntimeApi() if shape.event is not None else None
        if self._api is not None:
            self._api.__enter__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.variables = {
            **shape.variables,
            "RUNTIMES_FOLDER": str(folder),
            "TMPDIR": str(folder),  # a sandbox's own: what a killed process leaves there is counted by the next one
            "TIDEGATE_REDIS_URL": redis_url,
            "TIDEGATE_NAMESPACE": f"runtimes-{self.port}",
            "TIDEGATE_DECISION_BUDGET_MS": "3000",
            "AWS_LWA_PORT": str(self.port),
            **variables,
        }
        if shape.event is None or shape.server is None:
            del self.variables["AWS_LWA_PORT"]
        if self._api is not None:
            self.variables["AWS_LAMBDA_RUNTIME_API"] = self._api.address
        self._processes: list[ServerProcess] = []
        self._opened = 0
        self._threads = ThreadPoolExecutor(4)

    @property
    def log(self) -> str:
        return "\n".join(process.log_tail(60) for process in self._processes)

    def start(self) -> None:
        """Start its processes, and return when it answers."""
        if self._api is not None:
            self._api.renew()
        paths = filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])
        environ = {**os.environ, **self.variables, "PYTHONPATH": os.pathsep.join(paths)}
        commands = [self.shape.server(self.port)] if self.shape.server else [_RUNTIME]
        if self.shape.server and self._api is not None:
            commands.append([sys.executable, "-m", "tests.harness.web_adapter"])
        self._processes = [
            ServerProcess(command, log=self.folder / f"log-{number}", env=environ)
            for number, command in enumerate(commands)
        ]
        for process in self._processes:
            process.launch()
        self._opened += self.shape.workers
        self._processes[0].wait_until(self._answers, deadline_s=_PATIENCE_S)

    def terminate(self) -> None:
        """Send SIGTERM to the server or runtime, as its platform does; return at once."""
        end = os.killpg if self._is_forking() else os.kill
        end(self._processes[0].pid, signal.SIGTERM)

    def wait_for_end(self) -> None:
        """Return when the server has ended; its adapter ends with it, as its sandbox does."""
        process = self._processes[0]._process
        assert process is not None
        process.wait(_PATIENCE_S)
        eventually(lambda: not _has_processes(process.pid), within_s=_PATIENCE_S)
        for each in self._processes:
            each.kill()

    def close(self) -> None:
        for process in self._processes:
            if process.running and process is self._processes[0]:
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
        if self._api is not None:
            self._api.__exit__()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def stream(self, method: str, path: str, **rest: Any) -> "Stream":
        """Send a request, and return its response as it comes in."""
        return Stream(*self._ask(method, path, **rest))

    def noted(self, name: str, text: str = "") -> int:
        """Return how many lines of a file that the application writes begin so."""
        path = self.folder / name
        return sum(line.startswith(text) for line in path.read_text().splitlines()) if path.exists() else 0

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """Send a request and return its whole response.

        Args:
            method, path: the request's.
            rest: `headers`; `caller`, the client's address; `user`, whom a gateway's authorizer names (not of an ALB).
        """
        with_pieces = self.stream(method, path, **rest)
        body = b"".join(with_pieces.pieces)
        return httpx.Response(with_pieces.status, headers=with_pieces.headers, content=body)

    def begin(self, method: str, path: str, **rest: Any) -> "Future[httpx.Response]":
        return self._threads.submit(self.request, method, path, **rest)

    def _is_forking(self) -> bool:
        return "AWS_LAMBDA_MAX_CONCURRENCY" in self.variables and self.shape.server is None

    def _answers(self) -> bool:
        # A server that is told to end while a worker of it begins may wait for ever.
        if self.noted("lifespans", "opened") < self._opened:
            return False
        if self._api is not None:
            return self._api.ready.is_set()
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        caller: str = "203.0.113.7",
        **by: Any,
    ) -> tuple[int, list[tuple[str, str]], Iterator[bytes]]:
        if self.shape.event is None:
            return _over_http(self.url, method, path, {"x-forwarded-for": caller, **(headers or {})})
        user = by.get("user")
        if user is not None:
            v2 = self.shape.event in {http_api_event, function_url_event}
            by = {"authorizer": {"lambda": {"principalId": user}} if v2 else {"principalId": user}}
        event = self.shape.event(method, path, headers=headers or {}, source_ip=caller, **by)
        assert self._api is not None
        invocation = self._api.invoke(event)
        if self.shape.streams and self.shape.server is not None:
            return _streamed(invocation)
        whole = json.loads(b"".join(invocation.pieces()))
        fields = [*whole.get("headers", {}).items()]
        fields += [(name, value) for name, many in whole.get("multiValueHeaders", {}).items() for value in many]
        body = b64decode(whole["body"]) if whole["isBase64Encoded"] else whole["body"].encode()
        return whole["statusCode"], fields, iter([body])


_RUNTIME = [sys.executable, "-m", "awslambdaric", "tests.runtimes.handler.handler"]


def _has_processes(group: int) -> bool:
    """Whether a group has a process that runs; one that has ended may wait for whoever adopted it to notice."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


class Stream(NamedTuple):
    """A response whose body comes in."""

    status: int
    headers: list[tuple[str, str]]
    pieces: Iterator[bytes]


def _over_http(
    url: str, method: str, path: str, headers: Mapping[str, str]
) -> tuple[int, list[tuple[str, str]], Iterator[bytes]]:
    client = httpx.Client(timeout=_PATIENCE_S)
    response = client.send(client.build_request(method, url + path, headers=headers), stream=True)

    def pieces() -> Iterator[bytes]:
        try:
            yield from response.iter_raw()
        finally:
            response.close()
            client.close()

    return response.status_code, response.headers.multi_items(), pieces()


def _streamed(invocation: Invocation) -> tuple[int, list[tuple[str, str]], Iterator[bytes]]:
    pieces, held = invocation.pieces(), b""
    while bytes(8) not in held:
        held += next(pieces)
    begin, _, first = held.partition(bytes(8))
    told = json.loads(begin)

    def rest() -> Iterator[bytes]:
        if first:
            yield first
        yield from pieces

    return told["statusCode"], [*told["headers"].items()], rest()
