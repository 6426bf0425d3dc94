"""Measurements that anybody can run again: how long, how much memory. Never part of the tests."""
