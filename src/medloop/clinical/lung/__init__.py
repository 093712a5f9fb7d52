"""Nodules on chest CT: what they are called, how they are measured, which rules apply."""
