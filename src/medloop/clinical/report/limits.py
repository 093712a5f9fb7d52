"""What a report says its analysis must not be used for."""

from collections.abc import Collection

from medloop.clinical.report.language import Book, Language, say
from medloop.core.finding import Result
from medloop.models.bundle import shipped_weights


def limits(
    result: Result, words: Book, language: Language, *, shipped: Collection[str]
) -> tuple[str, ...]:
    """Tell scope and limits, and what was learned from where `shipped` networks answered.

    A site may install another network under the same name: its weights are compared, too.
    """
    used = result.provenance.weights
    is_shipped = bool(used) and all(
        each.bundle in shipped and each.sha256 in shipped_weights(each.bundle) for each in used
    )
    trained = "limit_trained" if is_shipped else "limit_trained_other"
    return tuple(say(words, key, language) for key in ("limit_scope", "limit_not_for", trained))
