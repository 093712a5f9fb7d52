"""Learning to find nodules on chest CT."""
