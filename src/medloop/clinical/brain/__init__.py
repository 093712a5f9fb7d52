"""The hippocampus on T1-weighted MR: outlined, measured, coded."""
