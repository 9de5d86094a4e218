"""What the data layer raises: driver errors are wrapped here once, so that routes needn't know the driver."""


class DataUnavailableError(Exception):
    """DynamoDB gave no usable answer; the cause is chained, the request may be repeated."""
