"""A queue instead of a refusal: what the limit refuses gets a 202 and runs later, once.

    uvicorn --app-dir examples overflow:app

A queue outlives a process, so this one needs three servers. `make up` starts a cloud that has them all:

    TIDEGATE_REDIS_URL=redis://HOST:6379        limits
    TIDEGATE_TABLE=NAME                         claims, and the requests that wait; a DynamoDB table with the key pk
    TIDEGATE_QUEUE_URL=https://…/NAME.fifo      an SQS FIFO queue
    TIDEGATE_PRINCIPAL_SECRET=…                 32 characters or more, for you alone to know
    AWS_ENDPOINT_URL=http://127.0.0.1:4566      where the cloud is a local one

    curl -i -X POST http://127.0.0.1:8000/exports -H 'Idempotency-Key: "export-1"'
    curl -i http://127.0.0.1:8000/requests/ID   where a 202's Location points

`worker` is the handler of the Lambda function that the queue feeds.
"""

from fastapi import FastAPI, Request

from tidegate import TokenBucket, policy, protect

app = FastAPI(title="Overflow")
gate = protect(app, requests="/requests")
worker = gate.worker(app)


@app.post("/exports", status_code=201)
@policy(limits=[TokenBucket("1/s", burst=1, name="exports")], idempotent=True, overflow="queue")
async def export(request: Request) -> dict[str, bool]:
    """Make an export; say whether it had waited."""
    return {"waited": request.state.tidegate.queued}
