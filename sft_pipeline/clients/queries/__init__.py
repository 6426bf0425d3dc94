"""The catalog of KQL files: reading it, and telling people about it."""
