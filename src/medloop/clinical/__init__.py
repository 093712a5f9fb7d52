"""One folder a clinical question, and the report."""
