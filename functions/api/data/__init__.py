"""DynamoDB through PynamoDB; nothing above this package sees a driver, its errors or its rows.

`settings` and `errors` are cheap to import. The rest imports PynamoDB and botocore, and is itself imported by
`functions.api.shop` when a request first needs it.
"""
