"""Cases from which the network of a shipped bundle did not learn."""

import json

from medloop.models.bundle import Bundle

_FOLD = "fold0.json"


def held_out(bundle: Bundle) -> list[str]:
    """Name the cases of fold 0, in the order in which the bundle keeps them."""
    text = (bundle.folder / "folds" / _FOLD).read_text(encoding="utf-8")
    return [str(name) for name in json.loads(text)["name"]]
