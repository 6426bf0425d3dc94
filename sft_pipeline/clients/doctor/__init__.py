"""What is configured, reachable, allowed and there: findings in plain words."""
