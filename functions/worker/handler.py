"""The Lambda handler: batches of SQS messages in, those that are to come again out."""

from functions.api.app import app

handler = app.state.gate.worker(app)
