"""Measurements that anybody can run again: how long, how much memory, against what one would use instead.

`make bench` runs all of them and writes `bench/results/latest.json` and `docs/PERFORMANCE.md`. Never part of the tests.
"""
