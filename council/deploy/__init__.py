"""A council on many machines: replicas of `council serve` under Ray Serve."""
