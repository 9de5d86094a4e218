"""One environment of a function as a process: `python -m tests.scenarios.sandbox PORT`.

An HTTP request becomes the event that API Gateway makes of it; one at a time is handed to the function's handler.
"""

import base64
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.harness.lambda_events import LambdaContext, rest_event
from tests.scenarios.shop import app
from tidegate import lambda_handler

handler = lambda_handler(app)


class Invocation(BaseHTTPRequestHandler):
    """Makes the event of a request, and the response of what the function returns."""

    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._invoke(None)

    def do_POST(self) -> None:
        self._invoke(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _invoke(self, body: str | None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        event = rest_event(self.command, self.path, headers=headers, body=body, api_key_id=headers.get("x-api-key"))
        reply = handler(event, LambdaContext())  # type: ignore[arg-type]  # it has what Mangum reads
        content = base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode()
        self.send_response(reply["statusCode"])
        for name, value in reply["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Nothing: the log holds what the function says."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Invocation).serve_forever()
