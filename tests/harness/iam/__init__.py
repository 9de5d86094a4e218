"""What a role allows: the calls that functions make in tests, evaluated against the roles of the stage aws."""
