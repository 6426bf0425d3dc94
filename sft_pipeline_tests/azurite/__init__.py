"""A real blob service for tests: Azurite on a loopback port, and a proxy before it that makes faults. No assertions."""
