"""DynamoDB through PynamoDB; nothing above this package sees a driver, its errors or its rows.

`settings` and `errors` are cheap to import; the rest pulls PynamoDB and botocore in and is imported by
`functions.api.shop` when a request first needs it.
"""
