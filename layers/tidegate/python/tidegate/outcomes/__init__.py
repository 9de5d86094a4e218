"""The outcomes of requests, counted for each version: a release is judged by these counts."""
