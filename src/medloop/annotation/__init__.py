"""Everything that makes labels: readers' edits, their agreement, and what to label next."""
