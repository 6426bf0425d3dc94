"""From requests to verdicts: as many as needed, each paid for once, with what shows how far they can be trusted."""
