"""Learning to segment volumes and pictures: fingerprint, plan, batches, task."""
