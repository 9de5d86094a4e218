"""The Lambda handler: API Gateway's events in, the app's answers out."""

from mangum import Mangum

from functions.api.app import app

# With any other `lifespan`, Mangum would run start-up and shutdown at every invocation.
handler = Mangum(app, lifespan="off")
