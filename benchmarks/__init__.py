"""Measurements against named peers; run each with ``python -m benchmarks.NAME``."""
