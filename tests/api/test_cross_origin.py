"""Pages of other origins read the answers where the stage names them, and nowhere else."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from functions.api.cross_origin import allow_origins

PAGE = "https://shop.example"


def answered(environ, origin=PAGE, **asked):
    app = FastAPI()

    @app.get("/v1/products")
    def products():
        return []

    allow_origins(app, environ)
    with TestClient(app) as client:
        return client.request(asked.pop("method", "GET"), "/v1/products", headers={"Origin": origin, **asked})


def test_a_page_of_a_named_origin_reads_the_answer_and_its_limits():
    answer = answered({"TIDEGATE_CORS_ORIGINS": f"https://other.example,{PAGE}"})
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "Retry-After", "Location"} <= set(exposed)
    assert "access-control-allow-credentials" not in answer.headers


def test_a_server_answers_what_a_browser_asks_beforehand():
    answer = answered(
        {"TIDEGATE_CORS_ORIGINS": PAGE},
        method="OPTIONS",
        **{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"},
    )
    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (200, "x-api-key")


@pytest.mark.parametrize("environ", [{}, {"TIDEGATE_CORS_ORIGINS": ""}, {"TIDEGATE_CORS_ORIGINS": "https://b.example"}])
def test_no_other_page_reads_any(environ):
    assert "access-control-allow-origin" not in answered(environ).headers
