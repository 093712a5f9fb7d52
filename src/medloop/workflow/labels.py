"""Labels for training: which readings count, and what of them leaves the store.

Where one reader was wanted, theirs counts; of several apart an adjudication, or what they agree
on if they agree well enough (`annotation.quality`).
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from medloop.annotation.blinding import Panel, panel
from medloop.annotation.dataset import (
    Labelled,
    Wanted,
    classes_of,
    write_cases,
)
from medloop.annotation.draft import Draft
from medloop.annotation.joining import Numbering, joined, numbering_of
from medloop.annotation.pairs import Measure, agreements, value_for
from medloop.annotation.quality import Gate, Standing, gate
from medloop.clinical.choices import choices_for
from medloop.clinical.remeasure import drawn_labels, remeasured
from medloop.core.errors import InputError
from medloop.core.finding import Result
from medloop.core.image import LabelMap
from medloop.store import Entry, Store
from medloop.store.reading import Meaning, Reading
from medloop.workflow.apart import Ledger, counted_draft
from medloop.workflow.folders import fresh_folder
from medloop.workflow.lightbox import Shown, lightbox_of
from medloop.workflow.ports import Archive
from medloop.workflow.revising import Revising, Revision
from medloop.workflow.scene import Looked, look_up
from medloop.workflow.stored import StoreArchive

PROVENANCE: Final = "provenance.csv"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which labels: of `analyses` (all if empty), of these `readers` alone, only signed ones.

    `wanted` says how many readers read each result of an analysis, `kappa_min` how well they
    must agree; `agreement` is how well they do, by analysis.
    """

    analyses: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    is_signed: bool = False
    wanted: Mapping[str, int] | None = None
    agreement: Mapping[str, float] | None = None
    kappa_min: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What counts of a job's result: readings whose drafts agree, or one."""

    looked: Looked
    readings: tuple[Reading, ...]
    drafts: tuple[Draft, ...]
    gate: Gate

    @property
    def draft(self) -> Draft:
        """The first draft; the only one where one reading counts."""
        return self.drafts[0]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: cases by analysis and kind of label; `left_out` says why others not."""

    cases: Mapping[str, Mapping[str, tuple[str, ...]]]
    left_out: tuple[str, ...]


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


def export_labels(  # noqa: PLR0913 - who and when stand in the audit log, as everywhere
    store: Store,
    out: Path,
    asked: Asked,
    *,
    actor: str,
    now: datetime,
    archive: Archive | None = None,
    report: Callable[[int, int], None] = _silent,
) -> Exported:
    """Write OUT/<analysis>/ with a data set a kind of label, and where each comes from.

    Images are read from the `archive`, the store unless one is given. `report` is told how many
    cases are done, of how many.

    Raises
    ------
    InputError
        If there is nothing to write, or OUT is there already.
    ServiceError
        If database or disk is in the way, or a PACS that is the archive cannot be reached.
    """
    if out.exists():
        raise InputError("the folder to write is there already")
    left_out: list[str] = []
    chosen = list(_chosen(store, asked, left_out))
    if not chosen:
        why = f": {left_out[0]}" if left_out else ""
        raise InputError(f"no reading was handed in whose labels may leave{why}")
    patients = _patients(chosen)
    images = archive or StoreArchive(store)
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    with fresh_folder(out) as part:
        for analysis in sorted({each.looked.job.analysis for each in chosen}):
            mine = [each for each in chosen if each.looked.job.analysis == analysis]
            folder = part / analysis
            folder.mkdir()
            told = _counted(
                _labelled(images, store, mine, patients, left_out), len(mine), report
            )
            found[analysis] = write_cases(folder, told, _wanted(analysis, mine))
            _write_provenance(folder / PROVENANCE, mine, patients)
        deeds = [
            Entry(now, actor, "exported labels", each.looked.study.uid, _details(each))
            for each in chosen
        ]
        store.audit.append_all(deeds)
    return Exported(found, tuple(left_out))


def agreement_of(
    store: Store, wanted: Callable[[str], int], *, archive: Archive | None = None
) -> Mapping[str, float]:
    """Say how well the readers of each analysis agree: the worst of its tasks counts.

    Raises
    ------
    ServiceError
        If a PACS that is the `archive` cannot be reached.
    """
    lightbox = lightbox_of(store.root)
    images = archive or StoreArchive(store)

    def shown(looked: Looked) -> Shown:
        known = lightbox.find(looked.study.uid, looked.selection)
        return known or lightbox.prepare(images.case(looked.study, looked.selection))

    compared = Ledger(store, wanted, shown, budget_s=math.inf).compared()
    seen = [each for one in compared for each in one.seen]
    judged = agreements(seen, rng=np.random.default_rng(0), draws=2)
    found: dict[str, float] = {}
    for analysis in {each.task.analysis for each in judged}:
        values = [value_for(judged, analysis, measure) for measure in Measure]
        known = [value for value in values if math.isfinite(value)]
        if known:
            found[analysis] = min(known)
    return found


def _chosen(store: Store, asked: Asked, left_out: list[str]) -> Iterator[Counted]:
    by_job: dict[int, list[Reading]] = {}
    for reading in store.readings.all():
        if not asked.analyses or reading.analysis in asked.analyses:
            by_job.setdefault(reading.job, []).append(reading)
    for job, readings in sorted(by_job.items()):
        analysis = readings[0].analysis
        all_read = panel(readings, wanted=(asked.wanted or {}).get(analysis, 1))
        counted, opened = _counting(all_read, asked, analysis)
        if asked.is_signed:
            counted = tuple(each for each in counted if _is_signed(store, each))
        if not counted:
            continue
        if not opened.is_open:
            left_out.append(f"job {job}: {opened.reason}")
            continue
        try:
            looked = look_up(store, job)
            drafts = tuple(counted_draft(store, looked, each) for each in counted)
        except InputError as gone:
            left_out.append(f"job {job}: {gone}")
            continue
        yield Counted(looked, counted, drafts, opened)


def _counting(all_read: Panel, asked: Asked, analysis: str) -> tuple[tuple[Reading, ...], Gate]:
    """Say which readings count, and whether their labels may leave."""
    if asked.readers:
        mine = [each for each in all_read.handed_in if each.reader in asked.readers]
        gated = Gate(Standing.SINGLE, "asked for by the reader's name")
        return tuple(mine[-1:]), gated
    kappa = (asked.agreement or {}).get(analysis, float("nan"))
    opened = gate(all_read, kappa, kappa_min=asked.kappa_min)
    if all_read.decided is not None:
        return (all_read.decided,), opened
    return all_read.handed_in, opened


def _is_signed(store: Store, reading: Reading) -> bool:
    return any(v.meaning is Meaning.FINAL for v in store.readings.versions(reading.id))


def _wanted(analysis: str, counted: Sequence[Counted]) -> Wanted:
    choices = choices_for(analysis)
    segments = [
        segment
        for each in counted
        for draft in each.drafts
        for _, segment in sorted(draft.segments.items())
    ]
    graded = [scale for scale in choices.scales if not isinstance(scale.values[0][0], bool)]
    whole = [scale.name for scale in graded if isinstance(scale.values[0][0], int)]
    words = [scale.name for scale in graded if scale.name not in whole]
    return Wanted(
        classes=classes_of(segments),
        scales=tuple(whole or words[:1]),
        has_objects=any(size.unit == "mm" for size in choices.sizes),
    )


def _labelled(
    archive: Archive,
    store: Store,
    counted: Sequence[Counted],
    patients: Mapping[int, str],
    left_out: list[str],
) -> Iterator[Labelled]:
    revising = Revising(store, archive)
    for each in counted:
        try:
            told = [
                revising.whole(reading.id, edits=draft.number)
                for reading, draft in zip(each.readings, each.drafts, strict=True)
            ]
        except InputError as gone:
            left_out.append(f"job {each.looked.job.id}: {gone}")
            continue
        result = _joined(each, told)
        yield Labelled(
            name=name_of(each),
            patient=patients[each.looked.job.id],
            image=told[0].case.images[0],
            labels=result.labels,
            findings=result.findings,
            assessments=result.assessments,
        )


def _counted(
    cases: Iterator[Labelled], total: int, report: Callable[[int, int], None]
) -> Iterator[Labelled]:
    for done, case in enumerate(cases):
        report(done, total)
        yield case


def _joined(each: Counted, told: Sequence[Revision]) -> Result:
    """Join what the readers that count say, each with all that follows from it."""
    results = [one.result for one in told]
    if len(results) == 1:
        return results[0]
    grades = {
        scale: value
        for scale in results[0].assessments
        if (value := _most(results, scale)) is not None
    }
    common = numbering_of(each.drafts)
    findings = tuple(one.finding for one in common.findings)
    maps = [_as_drafted(one) for one in told]
    drawn = [(n, labels) for n, labels in enumerate(maps) if labels is not None]
    whole = replace(results[0], labels=None, findings=findings, assessments=grades)
    if not drawn:
        return whole
    array = joined([(labels.array, common.tables[n]) for n, labels in drawn])
    known = {n: s for _, labels in drawn for n, s in labels.segments.items()}
    labels = LabelMap(array, {**known, **common.segments}, drawn[0][1].grid)
    return _measured(replace(whole, labels=labels), labels, told[0].model.labels, common)


def _measured(
    result: Result, labels: LabelMap, model: LabelMap | None, common: Numbering
) -> Result:
    """Measure findings in the joined label map, as a reader's own drawing is measured."""
    measured = remeasured(result, drawn_labels(labels, model))
    if labels.grid is None:  # lesions are counted anew
        return measured
    findings = tuple(
        one.finding if one.is_typed else new
        for one, new in zip(common.findings, measured.findings, strict=True)
    )
    return replace(measured, findings=findings)


def _as_drafted(told: Revision) -> LabelMap | None:
    """Return labels by the numbers they have for all readers: rules may number them anew."""
    labels = told.result.labels
    back = {now: was for was, now in told.numbers.items()}
    if labels is None or all(now == was for now, was in back.items()):
        return labels
    table = np.zeros(max(int(labels.array.max()), *back) + 1, np.uint16)
    for now, was in back.items():
        table[now] = was
    known = told.draft.segments
    segments = {back[n]: known.get(back[n], each) for n, each in labels.segments.items()}
    return LabelMap(table[labels.array], segments, labels.grid)


def _most(results: Sequence[Result], scale: str) -> bool | int | float | str | None:
    """Return the grade that most readers give; None where two are as frequent."""
    given = [each.assessments.get(scale) for each in results]
    plain = [each for each in given if isinstance(each, bool | int | float | str)]
    counts = Counter(plain).most_common(2)
    is_tie = len(counts) > 1 and counts[0][1] == counts[1][1]
    return counts[0][0] if counts and not is_tie else None


def name_of(each: Counted) -> str:
    """Name a case by the job whose result was read."""
    return f"job{each.looked.job.id:06}"


def _patients(counted: Sequence[Counted]) -> Mapping[int, str]:
    """Give patients numbers as they come; a study that names nobody is of a patient alone."""
    numbers: dict[str, str] = {}
    found = {}
    for each in counted:
        study = each.looked.study
        whose = study.patient.identifier.strip() or f"study {study.uid}"
        number = numbers.setdefault(whose, f"p{len(numbers) + 1:05}")
        found[each.looked.job.id] = number
    return found


def _details(each: Counted) -> Mapping[str, str]:
    readings = ", ".join(str(reading.id) for reading in each.readings)
    return {"job": str(each.looked.job.id), "readings": readings}


def _write_provenance(
    file: Path, counted: Sequence[Counted], patients: Mapping[int, str]
) -> None:
    rows = []
    for each in counted:
        made = each.looked.recorded.result.provenance
        for reading, draft in zip(each.readings, each.drafts, strict=True):
            states = Counter(found.state.value for found in draft.findings)
            rows.append(
                {
                    "case": name_of(each),
                    "patient": patients[each.looked.job.id],
                    "reading": reading.id,
                    "reader": reading.reader,
                    "purpose": reading.purpose.value,
                    "standing": each.gate.standing.value,
                    "opened": reading.opened.isoformat(),
                    "changed": reading.changed.isoformat(),
                    "edits": draft.number,
                    "seconds": round(draft.seconds, 1),
                    "clicks": draft.clicks,
                    **{state: states.get(state, 0) for state in _STATES},
                    "mask": "drawn" if draft.mask else "model",
                    "analysis": made.analysis,
                    "version": made.version,
                    "bundles": "; ".join(f"{w.bundle} {w.version}" for w in made.weights),
                    "weights_sha256": "; ".join(w.sha256 for w in made.weights),
                    "input_sha256": made.input_sha256,
                }
            )
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


_STATES: Final = ("proposed", "accepted", "rejected", "changed", "added")
