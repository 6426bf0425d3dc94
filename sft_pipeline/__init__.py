"""Assistant telemetry in Kusto to training data: a Dagster project. See README.md."""
