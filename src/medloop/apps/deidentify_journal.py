"""What was done to each file so far: kept line by line, so that a run may be taken up again."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the report; no value of the file is in it, nor its old name.

    `outcome` is ``"done"`` or ``"refused"`` with a `reason`; `uids` goes to the map, not here.
    """

    file: str
    stamp: str
    outcome: str
    reason: str = ""
    sop_class: str = ""
    size: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    replaced: Mapping[str, int] = field(default_factory=dict)
    cleaned: Mapping[str, int] = field(default_factory=dict)
    text_sought: bool = False
    text_boxes: tuple[tuple[int, int, int, int], ...] = ()
    defaced: bool = False
    warnings: tuple[str, ...] = ()
    uids: Mapping[str, str] = field(default_factory=dict)


class Journal:
    """The rows of a report, and what of them an earlier run left."""

    def __init__(self, report: Path, settings: Mapping[str, object]) -> None:
        """Take up an earlier run of the same settings, or begin."""
        self._report, self._settings = report, settings
        self._part = report.with_name(f"{report.name}.part")
        self._rows = {row["stamp"]: row for row in self._earlier()}
        self._known: set[int] = set()
        self._said: set[str] = set()
        lines = [json.dumps(row) for row in (settings, *self._rows.values())]
        self._part.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _earlier(self) -> Iterator[dict[str, Any]]:
        for path in (self._report, self._part):
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
                if path == self._report:
                    whole = json.loads("\n".join(lines))
                    if {key: whole.get(key) for key in self._settings} == self._settings:
                        yield from whole["files"]
                elif lines and json.loads(lines[0]) == self._settings:
                    yield from (json.loads(line) for line in lines[1:])
            except (FileNotFoundError, ValueError, KeyError):
                continue

    def has(self, stamp: str, target: Path) -> bool:
        """Whether this very file was cleaned before, and what was written is there."""
        row = self._rows.get(stamp)
        if row is None or row["outcome"] != "done":
            return False
        path = target / row["file"]
        is_there = path.is_file() and path.stat().st_size == row["size"]
        if is_there:
            self._said.add(stamp)
        return is_there

    def fresh(self, uids: Mapping[str, str]) -> dict[str, str]:
        """Turn old to new into new to old, without what the map has already."""
        new = {mine: theirs for theirs, mine in uids.items() if hash(mine) not in self._known}
        self._known.update(map(hash, new))
        return new

    def add(self, row: Row) -> None:
        """Keep a row."""
        shown = asdict(replace(row, uids={}))
        del shown["uids"]
        self._rows[row.stamp] = shown
        self._said.add(row.stamp)
        with self._part.open("a", encoding="utf-8") as file:
            file.write(json.dumps(shown) + "\n")

    def finish(self) -> Counter[str]:
        """Write the report, and count the outcomes."""
        rows = sorted((self._rows[stamp] for stamp in self._said), key=lambda row: row["file"])
        totals = Counter(str(row["outcome"]) for row in rows)
        whole = {**self._settings, "totals": dict(sorted(totals.items())), "files": rows}
        ready = self._report.with_name(f".{self._report.name}.new")
        ready.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        ready.replace(self._report)
        self._part.unlink()
        return totals
