"""HTTP: shapes in and out, status codes, and each route's policy; what the shop does is decided below."""
