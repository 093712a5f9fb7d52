"""What lesions are called: the same in report and segmentation, and from study to study."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from medloop.core.finding import Finding, Provenance, Result, Tracking
from medloop.dicom.write.uids import result_uid


def label_name(label: int) -> str:
    """Name a label, as tracking identifiers do that were given here."""
    return f"label {label}"


def owned_labels(findings: Sequence[Finding]) -> frozenset[int]:
    """Return the labels that exactly one finding has."""
    owners = Counter(f.segment for f in findings if f.segment is not None)
    return frozenset(label for label, count in owners.items() if count == 1)


def trackings(result: Result, owned: Collection[int]) -> tuple[Tracking, ...]:
    """Name each finding of a result: as before where it was seen before, else by its place.

    `owned` are labels that a finding has to itself: it is called after its label, others after
    their position. A name that a lesion has from before is not given to another one.
    """
    taken = {each.tracking.name for each in result.findings if each.tracking}
    names = []
    for index, finding in enumerate(result.findings):
        if finding.tracking is not None:
            names.append(finding.tracking)
            continue
        has_label = finding.segment is not None and finding.segment in owned
        own = label_name(finding.segment or 0) if has_label else f"finding {index + 1}"
        names.append(Tracking(_free(own, taken), result_uid(result.provenance, own)))
    return tuple(names)


def label_trackings(result: Result, labels: Collection[int]) -> Mapping[int, Tracking]:
    """Name the segments of labels, each as the finding that has it to itself."""
    names = {n: _of_label(n, result.provenance) for n in labels}
    owned = owned_labels(result.findings) & names.keys()
    for finding, name in zip(result.findings, trackings(result, owned), strict=True):
        if finding.segment in owned:
            names[finding.segment] = name
    return names


def named(result: Result) -> Result:
    """Return a result whose findings all tell what they are called, for a later study."""
    names = trackings(result, owned_labels(result.findings))
    findings = zip(result.findings, names, strict=True)
    return replace(
        result, findings=tuple(replace(each, tracking=name) for each, name in findings)
    )


def _of_label(label: int, provenance: Provenance) -> Tracking:
    """Name a label of several findings: the same in what is signed and in what was proposed."""
    name = label_name(label)
    return Tracking(name, result_uid(replace(provenance, attested=None), name))


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken: ``label 1``, ``label 1 (2)``."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free
