"""The Lambda handler: API Gateway's events in, the application's responses out."""

from functions.api.app import app
from tidegate import lambda_handler

handler = lambda_handler(app)
