"""What is below a process is found, and seen to end."""

import os
import subprocess
import sys

import pytest

from tests.harness.process_tree import below, still_alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def test_children_of_children_are_found_and_known_when_they_are_gone():
    nested = ["sh", "-c", "sh -c 'echo up; cat'; true"]
    with subprocess.Popen(nested, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout.readline() == b"up\n"
        under_it = below(shell.pid)
        assert under_it
        assert under_it < below(os.getpid())
        assert still_alive(under_it) == under_it
        shell.stdin.close()
    assert not still_alive(under_it)
