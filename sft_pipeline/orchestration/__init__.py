"""Dagster: which partition, which resource, where it is stored, what is shown. No logic worth testing alone."""
