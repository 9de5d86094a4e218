"""HTTP and ASGI: problem details, bodies, stored responses. Nothing here decides."""
