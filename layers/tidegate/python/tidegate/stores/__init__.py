"""The stores: one protocol, and its three implementations over Redis, DynamoDB and memory."""
