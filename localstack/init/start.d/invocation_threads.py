# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Forgets the thread that counts an invocation when it has ended. LocalStack 4.14.0.

`LambdaVersionManager.invoke` starts one each time by `start_thread`, which keeps it for the shutdown. On Python 3.13 a
thread that is kept keeps its stack: two mappings and 8 MiB of addresses for each invocation. Linux grants a process
65,530 mappings (vm.max_map_count), after which no thread starts.
"""

import logging

from localstack.services.lambda_.invocation import version_manager
from localstack.utils import threads

LOG = logging.getLogger("tidegate.init.invocation_threads")

if getattr(version_manager, "start_thread", None) is threads.start_thread:
    version_manager.start_thread = threads.start_worker_thread
    LOG.info("Threads of invocations that have ended are forgotten now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT invocation_threads.py WAS WRITTEN FOR (4.14.0): its threads were left as they "
        "are. If they are forgotten there when they have ended, remove the script; else adapt it."
    )
