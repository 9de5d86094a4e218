"""CORS: responses that pages of other origins may read, if the stage names any (infra/stages.py, `Cors`)."""

from collections.abc import Mapping

from fastapi import FastAPI

_VARIABLE = "TIDEGATE_CORS_ORIGINS"
# The response fields that a page can read only if they are exposed.
_EXPOSED = (
    "Cache-Status",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
)


def allow_origins(app: FastAPI, environ: Mapping[str, str]) -> None:
    """Let pages of the origins that the environment names read the responses; without any do nothing.

    On Lambda the edge responds to preflight requests (infra/cdk/tidegate_cdk/api/preflights.py); on a server this does.
    """
    origins = [origin for origin in environ.get(_VARIABLE, "").split(",") if origin]
    if not origins:
        return
    from fastapi.middleware.cors import CORSMiddleware  # noqa: PLC0415 - an import that most cold starts do without

    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=list(_EXPOSED),
    )
