"""HTTP: shapes in and out, status codes, and each route's policy; decisions are made below this package."""
