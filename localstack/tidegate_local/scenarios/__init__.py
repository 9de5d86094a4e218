"""The three questions, live: Redis is lost, a storm comes, a release goes well and badly."""
