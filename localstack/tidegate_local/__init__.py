"""The local cloud: engine, Redis, deploys and scenarios behind the `tidegate` command.

`cli` has the commands; `lifecycle` brings a cloud up and down, with one of `engines`, with `redis` and `deployment`.
`releases` and `stacks` serve releases on AWS, too. `telemetry` reads a cloud that is up, for `console` and `scenarios`.
`doctor` and `new` stand alone. What lies loose here is what all of them rest on, and it imports none of them.
"""
