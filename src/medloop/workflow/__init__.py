"""The loop: intake, routing, worker, dispatch."""
