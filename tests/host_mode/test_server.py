"""The web server that listens where it is told."""

import socket

import pytest

pytestmark = pytest.mark.localstack


def test_it_listens_on_loopback_alone(localstack):
    port = int(localstack.url.rpartition(":")[2])
    elsewhere = _address_of_this_host()
    with pytest.raises(OSError, match=r"refused|unreachable"):
        socket.create_connection((elsewhere, port), timeout=5).close()


def _address_of_this_host():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # No packet is sent: the system only says which of its addresses it would use.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("This host has no other address than loopback's.")
        return probe.getsockname()[0]
