"""The data layer's error, which wraps the driver's, so that routes don't depend on the driver."""


class DataUnavailableError(Exception):
    """DynamoDB gave no usable answer; the cause is chained, and the request may be repeated."""
