"""Series of CT as they are indexed, without pixels."""

from pathlib import Path

from medloop.core.study import Content, Instance, Scan, Series, SeriesUid, SopUid


def a_ct(uid: str, *, slices: int, slice_mm: float, scan: Scan, **changes) -> Series:
    """Return a series that covers `slices` times `slice_mm`."""
    parts = {
        "modality": "CT",
        "description": "",
        "content": Content.VOLUME,
        "source": uid,
        "slice_mm": slice_mm,
        "scan": scan,
        "frame_of_reference": "1.2.9",
        "instances": tuple(
            Instance(SopUid(f"{uid}.{n}"), "ct", Path(f"{n}.dcm"), "") for n in range(slices)
        ),
    }
    return Series(SeriesUid(uid), **parts | changes)
