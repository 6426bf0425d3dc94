"""Kusto, a cluster or embedded: asking, and answers that can be trusted."""
