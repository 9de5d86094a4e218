"""Who calls, by a token of an OIDC issuer: a Lambda authorizer for the REST API, outside its network."""
