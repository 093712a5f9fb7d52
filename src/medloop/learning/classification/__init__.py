"""Learning to classify volumes and pictures: fingerprint, plan, batches, task."""
