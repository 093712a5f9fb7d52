"""Numbers about predictions, from arrays only."""
