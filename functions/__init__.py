"""The Lambda functions of the platform, one package each."""
