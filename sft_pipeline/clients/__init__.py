"""The world outside, without Dagster: Kusto, the embedded engine, the release store."""
