"""What the pixels of a series make, in words, and whether a volume can be read from it."""

from medloop.core.study import Content, Series


def content_of(series: Series) -> str:
    """Name modality and content: ``CT volume``, ``OP pictures``, ``SR without pixels``."""
    held = "without pixels" if series.content is Content.NONE else series.content.value
    return f"{series.modality} {held}".strip()


def reason_against_content(series: Series) -> str:
    """Say why a series makes no volume; empty if it does."""
    if series.content is Content.VOLUME:
        return ""
    held = content_of(series)
    return held if series.content is Content.NONE else f"{held}, not a volume"
