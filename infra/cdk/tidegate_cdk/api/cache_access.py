"""What the cache's user may do, as an access string: the tests' Redis takes it, too, without loading CDK."""

# Only the library's keys, and only what its scripts and a cluster client need to run.
ACCESS = (
    "on ~tidegate:* resetchannels -@all +@read +@write +@scripting +@connection -@dangerous "
    "+time +info +cluster|slots +cluster|shards +cluster|nodes"
)
