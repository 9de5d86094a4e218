"""Lambda's queue of asynchronous invocations, as far as a function's own refreshes need it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class LambdaQueue:
    """Accepts invocations on a loopback port, and keeps their events; a context manager.

    Attributes:
        invocations: what was accepted: function, type of invocation, event.
        status: what it answers.
    """

    def __init__(self) -> None:
        self.invocations: list[tuple[str, str, dict[str, Any]]] = []
        self.status = 202
        queue = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                function = self.path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
                if queue.status == 202:
                    queue.invocations.append((function, self.headers["x-amz-invocation-type"], event))
                self.send_response(queue.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
