"""The failover chain: Redis, then DynamoDB, then this environment's memory; and the limits' carried state."""
