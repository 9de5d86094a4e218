"""The application: for Lambda (`handler`), and for uvicorn (`app`)."""

from fastapi import FastAPI

from api import orders, products
from tidegate import HealthCheck, lambda_handler, policy, protect

app = FastAPI(title="MyProject")
gate = app.state.gate = protect(app)
_health = HealthCheck(gate.health)
app.include_router(products.router)
app.include_router(orders.router)


@app.get("/health/ready", operation_id="ready")
@policy(limits=[])
async def ready() -> dict[str, str]:
    """Answer as soon as a request can be decided; `degraded`: by a fallback."""
    health = await _health()
    return {"status": health.status, "deciding": health.deciding}


handler = lambda_handler(app)
