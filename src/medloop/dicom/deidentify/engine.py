"""One data set, cleaned element by element at any depth (PS3.15 E.1.1)."""

from collections import Counter
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from medloop.dicom.deidentify.identity import Identity
from medloop.dicom.deidentify.keys import Key
from medloop.dicom.deidentify.private import is_safe
from medloop.dicom.deidentify.profile import Clean, Profile, Retain
from medloop.dicom.deidentify.table import DATES, TEXTS, Action, action_of
from medloop.dicom.deidentify.text import scrub
from medloop.dicom.deidentify.types import type_of
from medloop.dicom.deidentify.values import REMOVED, capped_age, dummy, shifted
from medloop.dicom.foreign import DICOM_ERRORS

_LONGEST: Final = {"LO": 64, "SH": 16, "ST": 1024, "LT": 10240}
_WELL_KNOWN: Final = "1.2.840.10008."
# UIDs that name a kind of thing, not a thing.
_KINDS: Final = ("ClassUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID")
_OF_A_CODE: Final = frozenset(
    [
        "CodeValue",
        "LongCodeValue",
        "URNCodeValue",
        "CodeMeaning",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "MappingResource",
        "ContextIdentifier",
    ]
)
_STANDARD_SCHEMES: Final = frozenset(
    ["SCT", "SRT", "SNM3", "DCM", "LN", "UCUM", "FMA", "RADLEX", "NCIt", "MDC"]
)
_WRITTEN_FREELY: Final = frozenset(["BodyPartExamined", "ContentLabel", "ScanOptions"])
_VERSIONS: Final = frozenset(
    ["SoftwareVersions", "ManufacturerModelName", "ConvolutionKernel", "SequenceName"]
)


@dataclass(frozen=True, slots=True, repr=False)
class Patient:
    """Who an object is about: what to look for, and what stands there instead."""

    identity: Identity
    pseudonym: str
    shift_days: int


@dataclass(slots=True)
class Changes:
    """What was done to one object: elements by keyword, and new UIDs by old ones.

    No value of the object is in it but the keys of `uids`, which go to the encrypted map.
    """

    removed: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    warnings: set[str] = field(default_factory=set)
    uids: MutableMapping[str, str] = field(default_factory=dict)


class _Text(Enum):
    """How texts below here are taken: looked through, all replaced, codes replaced, too."""

    LOOK = auto()
    REPLACE = auto()
    REPLACE_CODES = auto()


@dataclass(frozen=True, slots=True)
class _Here:
    """Where in an object we are."""

    path: tuple[str, ...] = ()
    text: _Text = _Text.LOOK

    def below(self, keyword: str, text: "_Text | None" = None) -> "_Here":
        return _Here((*self.path, keyword), text or self.text)


class Engine:
    """Cleans one object in place; what it did stands in `changes`."""

    def __init__(self, profile: Profile, key: Key, patient: Patient, sop_class: str) -> None:
        self.changes = Changes()
        self._profile, self._key, self._patient = profile, key, patient
        self._sop_class = sop_class

    def clean(self, dataset: Dataset) -> None:
        """Clean a whole data set."""
        self._dataset(dataset, _Here())
        name = self._patient.pseudonym
        dataset.PatientName, dataset.PatientID = name, name

    def _dataset(self, dataset: Dataset, here: _Here) -> None:
        for tag in list(dataset.keys()):
            if tag not in dataset:
                continue  # a private block left with its creator
            if tag.is_private:
                self._private(dataset, tag, here)
            elif tag.element == 0 or tag.group in (0x0000, 0x0002, 0x0004, 0xFFFC):
                del dataset[tag]
            elif 0x5000 <= tag.group <= 0x50FF or 0x6000 <= tag.group <= 0x60FF:
                self._repeating(dataset, tag)
            else:
                self._element(dataset, tag, here)

    def _private(self, dataset: Dataset, tag: BaseTag, here: _Here) -> None:
        if Retain.SAFE_PRIVATE not in self._profile.retain:
            self.changes.removed["private"] += 1
            del dataset[tag]
        elif tag.is_private_creator:
            if not is_safe(str(dataset[tag].value), tag.group, None):
                self.changes.removed["private"] += 1
                del dataset[tag]
        elif is_safe(_creator(dataset, tag), tag.group, tag.element & 0xFF):
            self._unlisted(dataset, dataset[tag], here)
        else:
            self.changes.removed["private"] += 1
            del dataset[tag]

    def _repeating(self, dataset: Dataset, tag: BaseTag) -> None:
        """Curves go; overlays go unless graphics are cleaned, which looks at their bits."""
        is_overlay = tag.group >= 0x6000
        if not is_overlay or Clean.GRAPHICS not in self._profile.clean:
            self.changes.removed["OverlayData" if is_overlay else "CurveData"] += 1
            del dataset[tag]
        elif tag.element in (0x4000, 0x0022, 0x1500):  # comments, description, label
            self._scrub(dataset[tag])

    def _element(self, dataset: Dataset, tag: BaseTag, here: _Here) -> None:
        keyword = keyword_for_tag(tag)
        action = action_of(tag, self._profile)
        try:
            element = dataset[tag]
        except DICOM_ERRORS:
            self.changes.warnings.add("an element whose value could not be read was removed")
            self.changes.removed[keyword or "unknown"] += 1
            del dataset[tag]
            return
        if action is not None and (keyword or action is Action.REMOVE):
            self._listed(dataset, element, action, here)
        elif not keyword or element.VR == "UN":
            self.changes.removed["unknown"] += 1
            del dataset[tag]
        else:
            self._unlisted(dataset, element, here)

    def _listed(
        self, dataset: Dataset, element: DataElement, action: Action, here: _Here
    ) -> None:
        keyword, vr = element.keyword, element.VR
        if action is Action.KEEP:
            self._keep(element, here)
        elif action is Action.CLEAN:
            self._clean(dataset, element, here)
        elif action is Action.UID or (action is Action.REFERENCES and vr == "SQ"):
            self._uids(element, here)
        else:
            kind = type_of(self._sop_class, here.path, keyword)
            self._replace(dataset, element, _by_type(action, kind), here)

    def _keep(self, element: DataElement, here: _Here) -> None:
        if element.VR == "SQ":
            self._items(element, here.below(element.keyword))
        elif element.VR in TEXTS:
            self._scrub(element, patterns=False)
        elif element.VR == "AS":
            element.value = capped_age(str(element.value or ""))

    def _clean(self, dataset: Dataset, element: DataElement, here: _Here) -> None:
        if element.VR == "SQ":
            self._items(element, here.below(element.keyword, _Text.LOOK))
        elif element.VR in DATES:
            self._shift(element)
        elif element.keyword == "TimezoneOffsetFromUTC":
            return
        elif element.VR in TEXTS:
            self._scrub(element)
        else:
            self._replace(dataset, element, Action.REMOVE, here)

    def _uids(self, element: DataElement, here: _Here) -> None:
        if element.VR == "SQ":
            self._items(element, here.below(element.keyword))
        elif element.VR == "UI" and not element.is_empty:
            element.value = _each(element.value, self._uid)
            self.changes.replaced[element.keyword] += 1

    def _uid(self, original: str) -> str:
        if not original or original.startswith(_WELL_KNOWN):
            return original
        return self.changes.uids.setdefault(original, self._key.uid(original))

    def _replace(
        self, dataset: Dataset, element: DataElement, action: Action, here: _Here
    ) -> None:
        """Remove, empty or fill in; sequences that must have an item keep cleaned ones."""
        keyword, vr = element.keyword, element.VR
        if action is Action.REMOVE:
            del dataset[element.tag]
            self.changes.removed[keyword or "unknown"] += 1
        elif action is Action.EMPTY or element.is_empty:
            element.value = Sequence() if vr == "SQ" else None
            self.changes.replaced[keyword] += 1
        elif vr == "SQ":
            kept = _Text.REPLACE if keyword in _TREES else _Text.REPLACE_CODES
            self._items(element, here.below(keyword, kept))
        elif vr == "UI":
            self._uids(element, here)
        else:
            element.value = dummy(vr)
            self.changes.replaced[keyword] += 1

    def _unlisted(self, dataset: Dataset, element: DataElement, here: _Here) -> None:
        """Clean what the table does not name: names, dates, UIDs; texts are looked through."""
        keyword, vr = element.keyword, element.VR
        if vr == "SQ":
            self._items(element, here.below(keyword))
        elif vr == "PN":
            kind = type_of(self._sop_class, here.path, keyword)
            self._replace(dataset, element, _by_type(Action.REMOVE, kind), here)
        elif vr in DATES:
            self._date(dataset, element, here)
        elif vr == "UI":
            if Retain.UIDS not in self._profile.retain and not keyword.endswith(_KINDS):
                self._uids(element, here)
        elif vr in TEXTS:
            self._text(element, dataset, here)
        elif vr == "UN":
            del dataset[element.tag]
        elif vr in ("AE", "UR") or keyword in _WRITTEN_FREELY:
            self._scrub(element, patterns=vr == "UR", whole=True)

    def _date(self, dataset: Dataset, element: DataElement, here: _Here) -> None:
        if Retain.DATES_FULL in self._profile.retain:
            return
        if Retain.DATES_SHIFTED in self._profile.retain:
            self._shift(element)
            return
        kind = type_of(self._sop_class, here.path, element.keyword)
        self._replace(dataset, element, _by_type(Action.REMOVE_EMPTY_OR_DUMMY, kind), here)

    def _text(self, element: DataElement, dataset: Dataset, here: _Here) -> None:
        is_code = element.keyword in _OF_A_CODE
        if here.text is _Text.REPLACE_CODES or (here.text is _Text.REPLACE and not is_code):
            if not element.is_empty:
                element.value = REMOVED
                self.changes.replaced[element.keyword] += 1
        elif is_code and str(dataset.get("CodingSchemeDesignator")) in _STANDARD_SCHEMES:
            self._scrub_code(element)
        else:
            self._scrub(element, patterns=not is_code and element.keyword not in _VERSIONS)

    def _scrub_code(self, element: DataElement) -> None:
        """Leave the words of a standard's codes alone, but not numbers or several names."""
        known = self._patient.identity
        strict = Identity(frozenset(n for n in known.names if len(n) > 9), known.numbers)
        element.value, count = scrub(str(element.value or ""), strict, patterns=False)
        self.changes.cleaned[element.keyword] += count

    def _scrub(
        self, element: DataElement, *, patterns: bool = True, whole: bool = False
    ) -> None:
        """Take identities out of each value; `whole` drops a value that held one."""
        found = 0

        def cleaned(value: str) -> str:
            nonlocal found
            text, count = scrub(value, self._patient.identity, patterns=patterns)
            found += count
            longest = _LONGEST.get(element.VR)
            if count and whole:
                return REMOVED
            return text[:longest] if count and longest else text

        if not element.is_empty:
            fresh = _each(element.value, cleaned)
            if found:
                element.value = fresh
                self.changes.cleaned[element.keyword or "private"] += found

    def _shift(self, element: DataElement) -> None:
        if element.VR != "TM" and not element.is_empty:
            days = self._patient.shift_days
            element.value = _each(element.value, lambda value: shifted(value, days))
            self.changes.replaced[element.keyword] += 1

    def _items(self, element: DataElement, here: _Here) -> None:
        for item in element.value or ():
            self._dataset(item, here)


_TREES: Final = frozenset(["ContentSequence", "GraphicAnnotationSequence"])


def _by_type(action: Action, kind: str) -> Action:
    """Choose among combined actions by the Type in the IOD (PS3.15 Table E.1-1a, note)."""
    choices = str(action).split("/")
    if kind.startswith("1"):
        return Action.DUMMY
    if kind.startswith("2"):
        return Action.DUMMY if choices == ["D"] else Action.EMPTY
    return Action(choices[0])


def _each(value: object, change: Callable[[str], str]) -> object:
    """Apply to the one value or to each of several."""
    if isinstance(value, MultiValue | list | tuple):
        return [change(str(one)) for one in value]
    return change(str(value))


def _creator(dataset: Dataset, tag: BaseTag) -> str:
    creator = (tag.group, tag.element >> 8)
    return str(dataset[creator].value).strip() if creator in dataset else ""
