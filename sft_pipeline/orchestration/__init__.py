"""Dagster: which partition, which resource, where it is stored, what is shown. No logic worth testing alone."""

import warnings

# Multi-dimensional mappings and partitioned checks are beta in the pinned Dagster; tests hold what is relied on.
warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview)")
