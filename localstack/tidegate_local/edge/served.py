"""What uvicorn serves for `tidegate dev --edge`: the application that dev.py names, behind the edge that it read."""

import os
import time
from importlib import import_module
from pathlib import Path

from tidegate_local.dev import EDGE_APPLICATION, EDGE_FACTS
from tidegate_local.edge.asgi import Edge
from tidegate_local.edge.facts import EdgeFacts
from tidegate_local.edge.rules import Rules

_module, _, _name = os.environ[EDGE_APPLICATION].partition(":")
app = Edge(getattr(import_module(_module), _name), Rules(EdgeFacts.read(Path(os.environ[EDGE_FACTS])), time.monotonic))
