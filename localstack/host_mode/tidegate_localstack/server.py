"""LocalStack's web server on the address that GATEWAY_LISTEN names (LocalStack 4.14).

LocalStack's own "twisted" server takes the port from GATEWAY_LISTEN, but listens on all interfaces ("TODO: interface =
host?" in `TwistedRuntimeServer.register`), which lets the whole network into a developer's cloud. Selected by
GATEWAY_SERVER=loopback. With GATEWAY_SOCKET it takes over a socket of that number which listens already, so that
nobody can take the port between its choice and its use; GATEWAY_LISTEN must name the same port.
"""

import os
import socket

from localstack.config import HostAndPort
from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.serving.twisted import TwistedGateway
from twisted.internet import endpoints, reactor


class LoopbackRuntimeServer(TwistedRuntimeServer):
    """Listens where it was told to, by plain HTTP: TLS has no use on a loopback interface."""

    def register(
        self,
        gateway: Gateway,
        listen: list[HostAndPort],
        ssl_creds: tuple[str, str] | None = None,  # noqa: ARG002 - LocalStack hands them to every server
    ) -> None:
        """Listen on each address."""
        site = TwistedGateway(gateway)
        inherited = os.environ.get("GATEWAY_SOCKET")
        if inherited:
            endpoints.AdoptedStreamServerEndpoint(reactor, int(inherited), socket.AF_INET).listen(site)
            return
        for address in listen:
            endpoints.TCP4ServerEndpoint(reactor, address.port, interface=address.host).listen(site)


class LoopbackServerPlugin(RuntimeServerPlugin):
    """Finds the server for LocalStack."""

    name = "loopback"

    def load(self, *_args: object, **_kwargs: object) -> RuntimeServer:
        """Return the server."""
        return LoopbackRuntimeServer()
