"""Azure Blob Storage: addresses, credentials, uploads, downloads, and a release store on them. No Dagster."""
