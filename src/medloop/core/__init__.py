"""Vocabulary shared by every room: geometry, images, studies, findings, errors."""
