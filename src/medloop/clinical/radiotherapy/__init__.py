"""Organs at risk on planning CT: outlines, volumes, and which of them need a second look."""
