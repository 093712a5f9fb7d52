"""While the exporter is silent, the rest of the process is heard."""

import logging
import warnings

from medloop.learning.exporter_notes import EXPORTER, without_exporter_notes


def test_the_exporter_is_silent_and_nobody_else(caplog):
    exporter, ours = (
        logging.getLogger(f"{EXPORTER}._internal"),
        logging.getLogger("medloop.node"),
    )
    with without_exporter_notes():
        exporter.warning("torchvision is not installed")
        warnings.warn("deprecated", stacklevel=1)
        ours.warning("a destination cannot be reached")
    assert caplog.messages == ["a destination cannot be reached"]


def test_it_is_heard_again_afterwards():
    exporter = logging.getLogger(EXPORTER)
    with without_exporter_notes():
        assert not exporter.isEnabledFor(logging.WARNING)
    assert exporter.isEnabledFor(logging.WARNING)
