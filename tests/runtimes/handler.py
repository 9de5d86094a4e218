"""The application as a function's handler."""

from tests.runtimes.shop import app
from tidegate import lambda_handler

handler = lambda_handler(app)
