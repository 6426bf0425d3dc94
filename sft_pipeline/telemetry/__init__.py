"""The embedded source: raw event schema, synthetic telemetry, import of real chat sessions."""
