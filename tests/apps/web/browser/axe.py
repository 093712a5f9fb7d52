"""axe-core: what it calls serious or critical is a fault of ours."""

import tarfile
import tempfile
from pathlib import Path

import pytest

from medloop.apps.viewer import Release, check_integrity, fetch
from medloop.core.errors import InputError, ServiceError

AXE = Release(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def axe_source(folder: Path) -> str:
    """Return axe-core's script, fetched once for all runs on this machine."""
    kept = Path(tempfile.gettempdir()) / f"medloop-tests-axe-core-{AXE.version}.tgz"
    try:
        check_integrity(kept, AXE)
    except InputError:
        try:
            found = fetch(folder, AXE)
            check_integrity(found, AXE)
        except (InputError, ServiceError) as error:
            pytest.skip(f"axe-core cannot be fetched: {error}")
        kept.write_bytes(found.read_bytes())
    with tarfile.open(kept) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def serious_violations(page, axe: str) -> list[str]:
    """Look at a page as it is now; one line for each place that somebody cannot use.

    The script is evaluated by the debugger, so the page keeps its own content policy.
    """
    page.evaluate(axe)
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", _RULES
    )
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
