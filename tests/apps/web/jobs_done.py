"""Jobs that are done, with what a reader looks at: a drawn chest CT, a photograph."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from medloop.clinical.urgency import triage
from medloop.core.code import Code
from medloop.core.errors import ServiceError
from medloop.core.finding import Box, Finding, Measurement, Provenance, Result, Weights
from medloop.core.geometry import Grid
from medloop.core.image import HeatMap, LabelMap, Segment, Volume
from medloop.core.record import from_json, from_record
from medloop.core.study import Case, SeriesUid, SopUid, StudyUid
from medloop.store import Entry, Job, JobState, Kept, Store, end_job
from medloop.workflow.intake import gather
from medloop.workflow.products import Makers, write_products
from medloop.workflow.routing import selection_from
from medloop.workflow.stored import StoreArchive
from tests.necks import write_ct

NODULE = Code("SCT", "27925004", "Nodule")
LESION = Code("SCT", "49755003", "Morphologically Abnormal Structure")
LUNG = Code("SCT", "39607008", "Lung structure")
DIAMETER = Code("SCT", "81827009", "Diameter")
FOVEA = Code("SCT", "67046006", "Fovea centralis")
_COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115))


def _no_pdf(_page: str) -> bytes:
    raise ServiceError("none in tests")


PLAIN = Makers(
    figures=lambda _case, _result: {},
    html=lambda *_: "<p>report</p>",
    pdf=_no_pdf,
    dicom=lambda *_: None,
)


def a_ball(grid: Grid, center_mm: Sequence[float], diameter_mm: float) -> np.ndarray:
    """Voxels of a ball, as bool (k, j, i)."""
    radius_mm = diameter_mm / 2
    reach = radius_mm * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)
    middle = grid.to_index(np.array(center_mm, float))
    low = np.clip(np.floor(middle - reach).astype(int), 0, grid.shape)
    high = np.clip(np.ceil(middle + reach).astype(int) + 1, low, grid.shape)
    near = (np.arange(a, b) for a, b in zip(low, high, strict=True))
    places = np.stack(np.meshgrid(*near, indexing="ij"), -1)
    away = grid.to_world(places.astype(float)) - np.array(center_mm)
    ball = np.zeros(grid.shape, bool)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    ball[box] = (away**2).sum(-1) <= radius_mm**2
    return ball


def a_ct(  # noqa: PLR0913 - what a test draws
    store: Store,
    folder: Path,
    volume: Volume,
    balls: Sequence[tuple[tuple[float, float, float], float]],
    *,
    now: datetime,
    study: tuple[str, str] = ("2.25.817", "20260312"),
    has_heat: bool = False,
) -> Job:
    """Let a chest CT arrive and be analyzed: each ball (center, diameter) is one nodule.

    With heat, the box about each is as hot as can be at its feet, and colder toward the head.
    """
    uid, date = study
    write_ct(volume, folder)
    known = gather([folder], scratch=folder).studies[0]
    (series,) = known.series
    instances = tuple(
        replace(each, uid=SopUid(f"{uid}.{n}")) for n, each in enumerate(series.instances)
    )
    series = replace(series, uid=SeriesUid(f"{uid}.1"), instances=instances)
    store.receive(replace(known, uid=StudyUid(uid), date=date, series=(series,)), now=now)
    uids = [each.uid for each in instances]

    def answer(case: Case) -> Result:
        seen = case.images[0]
        assert isinstance(seen, Volume)
        labels = np.zeros(seen.grid.shape, np.uint8)
        findings, segments, heat = [], {}, []
        for n, (center, diameter) in enumerate(balls, start=1):
            labels[a_ball(seen.grid, center, diameter)] = n
            segments[n] = Segment(f"nodule {n}", LESION, NODULE, _COLORS[(n - 1) % 3], LUNG)
            size = Measurement(DIAMETER, diameter, "mm")
            sure = 0.5 + 0.1 * n
            findings.append(
                Finding(NODULE, LUNG, (size,), sure, center_lps_mm=center, segment=n)
            )
            heat.append(_heat_about(seen.grid, center, n))
        return Result(
            provenance_of("lung", case),
            tuple(findings),
            {"Lung-RADS": "4A"},
            LabelMap(labels, segments, seen.grid) if segments else None,
            heat_maps=tuple(heat) if has_heat else (),
        )

    return _done(store, StudyUid(uid), uids, "lung", answer, now)


def _heat_about(grid: Grid, center_mm: Sequence[float], number: int) -> HeatMap:
    center = np.rint(grid.to_index(np.array(center_mm))).astype(int)
    low = np.maximum(center - np.array((1, 5, 6)), 0)
    high = np.minimum(center + np.array((2, 6, 7)), grid.shape)
    levels = np.linspace(255, 128, high[0] - low[0]).astype(np.uint8)
    array = np.broadcast_to(levels[:, None, None], tuple(high - low)).copy()
    explained = {"finding": number}
    return HeatMap("nodules", array, "drawn", explained, tuple(low.tolist()))


def a_photograph(store: Store, folder: Path, array: np.ndarray, *, now: datetime) -> Job:
    """Let a photograph arrive and be analyzed: a fovea, and a box; with a heat map."""
    folder.mkdir(parents=True)
    Image.fromarray(array).save(folder / "eye.png")
    study = gather([folder], scratch=folder).studies[0]
    store.receive(study, now=now)
    uids = [each.uid for each in study.series[0].instances]
    height, width = array.shape[:2]

    def answer(case: Case) -> Result:
        place = Box((width * 0.25, height * 0.25), (width * 0.5, height * 0.4))
        findings = (
            Finding(FOVEA, probability=0.9, center_px=(width * 0.6, height * 0.5)),
            Finding(LESION, probability=0.7, box=place),
        )
        return Result(provenance_of("retina", case), findings, {"ICDR": 2})

    job = _done(store, study.uid, uids, "retina", answer, now)
    heat = np.zeros((height // 2, width // 2, 3), np.uint8)
    heat[:, : width // 4] = (220, 40, 40)
    Image.fromarray(heat).save(store.results_folder / job.folder / "heatmap.png")
    kept = store.results.get(job.id)
    products = (*kept.products, "heatmap.png")
    with store.database.writing() as connection:
        store.results.keep_within(connection, replace(kept, products=products))
    return job


def _done(store, study, uids, analysis, answer, now) -> Job:
    store.jobs.add(study, analysis, uids, now=now)
    job = store.jobs.claim("w1", [analysis], now=now)
    assert job is not None
    known = store.catalog.study(study)
    case = StoreArchive(store).case(known, selection_from(known, uids))
    name = f"{study}/{analysis}-{job.id}"
    folder = store.results_folder / name
    write_products(case, answer(case), folder, language="en", makers=PLAIN)
    record = from_json((folder / "result.json").read_text(encoding="utf-8"))
    products = tuple(path.name for path in folder.iterdir())
    found = triage(from_record(record).result)
    urgency, because = int(found.urgency), found.because
    kept = Kept(job.id, name, products, record, now, urgency=urgency, because=because)
    entry = Entry(now, "w1", "analyzed", study, {})
    return end_job(store, job, JobState.DONE, entry, kept=kept)


def a_little_chest() -> Volume:
    """Air with a little noise, ten slices of 5 mm."""
    affine = np.array(
        [[0, 0, 2.0, -40.0], [0, 2.0, 0, -30.0], [5.0, 0, 0, 10.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((10, 32, 40), affine, "2.25.816")
    array = np.random.default_rng(0).integers(-1000, -900, grid.shape).astype(np.int16)
    return Volume(array, grid, "HU")


def provenance_of(analysis: str, case: Case) -> Provenance:
    """Say that a network of no weights has read all images of a case."""
    instances = [each for series in case.selection.series for each in series.instances]
    return Provenance(
        analysis=analysis,
        version="1",
        weights=(Weights("none", "1", "0" * 64),),
        inputs=tuple(each.uid for each in instances),
        input_sha256=instances[0].sha256,
        finished=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    )
