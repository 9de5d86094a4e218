"""A stack on CloudFormation: its description, status, events, template and API keys."""
