"""HTML to PDF by WeasyPrint, the same bytes for the same page."""

import hashlib
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from medloop.core.errors import ServiceError

if TYPE_CHECKING:
    from weasyprint.text.fonts import FontConfiguration


def to_pdf(html: str) -> bytes:
    """Print a self-contained page; nothing is fetched from files or the network.

    Raises
    ------
    ServiceError
        If the libraries that WeasyPrint stands on are not installed.
    """
    try:
        import weasyprint  # noqa: PLC0415 - slow to import, and needs system libraries
    except OSError as error:
        raise ServiceError(
            "PDF reports need Pango: install the Debian packages libpango-1.0-0, "
            "libpangoft2-1.0-0, libharfbuzz-subset0 and fonts-noto-cjk"
        ) from error
    page = weasyprint.HTML(
        string=html, url_fetcher=weasyprint.URLFetcher(allowed_protocols={"data"})
    )
    identifier = hashlib.sha256(html.encode()).digest()[:16]
    fonts, turn = _press()
    with turn:
        return page.write_pdf(font_config=fonts, pdf_identifier=identifier)


@cache
def _press() -> tuple["FontConfiguration", Lock]:
    """One for the process: finding fonts takes time, and Pango serves one thread at a time."""
    from weasyprint.text.fonts import FontConfiguration  # noqa: PLC0415 - as above

    return FontConfiguration(), Lock()
