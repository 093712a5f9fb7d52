"""What of an edit makes sense: each mistake in what a page or program sends gets its line."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from medloop.annotation.draft import (
    PLACES,
    Draft,
    applied,
    key_for_added,
    mask_to_plain,
)
from medloop.annotation.fields import (
    Extent,
    code_check,
    is_number,
    is_text,
    mistakes_in,
    numbers,
    segment_check,
    short,
)
from medloop.core.code import Code
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.finding import Assessment, Finding
from medloop.core.plain import Plain, code_to_plain
from medloop.dicom.codes import SCALES

LONGEST: Final = 20_000  # characters of a conclusion
_KEY: Final = re.compile(r"a?[1-9][0-9]{0,5}")
_NAME: Final = 64
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
Mistakes = Iterator[str]
Scales = Mapping[str, Collection[bool | int | str]]


def checked(
    draft: Draft,
    edit: Edit,
    extent: Extent,
    *,
    masks: Collection[str] = (),
    scales: Scales = SCALES,
) -> tuple[Edit, Draft]:
    """Return an edit as it is kept, and the draft with it.

    An added finding gets its key. `masks` are those that the mask may go back to, `scales` the
    values of assessments that have a choice of them.

    Raises
    ------
    InputError
        With all that is wrong with it, or if it does not fit the draft.
    """
    edit = _completed(draft, edit)
    if edit.action is Action.ASSESS:
        mistakes = "; ".join(_assessment(draft, edit, scales))
    else:
        mistakes = "; ".join(_CHECKS[edit.action](draft, edit, extent))
    if mistakes:
        raise InputError(mistakes)
    if edit.action is Action.MASK:
        edit = _to_mask(draft, edit, masks)
    return edit, applied(draft, edit)


def _completed(draft: Draft, edit: Edit) -> Edit:
    """Fill in what may be left out: an added finding's key and fields, measurements' codes."""
    after = edit.after
    if edit.action in (Action.MASK, Action.CONCLUDE):
        return replace(edit, target="")
    if edit.action not in (Action.ADD, Action.CHANGE) or not isinstance(after, dict):
        return edit
    fields = dict(after)
    if "measurements" in fields:
        fields["measurements"] = _named(draft, fields["measurements"])
    if edit.action is Action.CHANGE:
        return replace(edit, after=fields)
    fields = {"site": None, "measurements": [], "probability": None, **fields}
    placed = {key: v for key, v in fields.items() if v is not None or key not in PLACES}
    return replace(edit, target=edit.target or key_for_added(draft), after=placed)


def _named(draft: Draft, listed: Plain) -> Plain:
    """Complete measurements that are told by their name alone, as readings tell them."""
    if not isinstance(listed, list):
        return listed
    known = {
        each.concept.meaning: each.concept
        for finding in draft.findings
        for each in finding.finding.measurements
    }
    return [_measurement(each, known) for each in listed]


def _measurement(plain: Plain, known: Mapping[str, Code]) -> Plain:
    if not isinstance(plain, dict):
        return plain
    name, concept = plain.get("name"), plain.get("concept")
    if concept is None and isinstance(name, str) and name in known:
        concept = code_to_plain(known[name])
    return {"concept": concept, "value": plain.get("value"), "unit": plain.get("unit")}


def _nothing(_draft: Draft, edit: Edit, _extent: Extent) -> Mistakes:
    yield from _key(edit)
    if edit.after not in (None, {}):
        yield f"{edit.action} changes no field: leave `after` out"


def _key(edit: Edit) -> Mistakes:
    if not _KEY.fullmatch(edit.target):
        yield "target is no finding's key, such as 1 or a1"


def _fields(draft: Draft, edit: Edit, extent: Extent) -> Mistakes:
    yield from _key(edit)
    fields = edit.after
    if not isinstance(fields, dict) or not fields:
        yield "after is an object with the finding's fields"
        return
    if edit.action is Action.ADD and "concept" not in fields:
        yield "an added finding needs its concept"
    yield from mistakes_in(fields, extent, _proposed(draft, edit.target))


def _proposed(draft: Draft, key: str) -> Finding | None:
    found = (each for each in draft.findings if each.key == key)
    first = next(found, None)
    return None if first is None else first.before or first.finding


def segment_mistakes(plain: Plain) -> Mistakes:
    """Say what is wrong with the description of a segment; nothing if it can be read."""
    if not isinstance(plain, dict):
        yield "a segment is an object with number, name and color"
        return
    yield from segment_check(plain.get("number") or 0, Extent(), None)
    name, color = plain.get("name"), plain.get("color")
    if (
        not isinstance(name, str)
        or not name.strip()
        or len(name) > 64
        or not name.isprintable()
    ):
        yield "name of a segment is text of 1 to 64 characters"
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        yield "color of a segment is #rrggbb"
    for key in ("category", "concept", "site"):
        if not (key == "site" and plain.get(key) is None):
            yield from code_check(f"{key} of a segment")(plain.get(key), Extent(), None)


def _mask(_draft: Draft, edit: Edit, _extent: Extent) -> Mistakes:
    after = edit.after
    if not isinstance(after, dict) or "sha256" not in after:
        yield "a mask is sent by PUT; an edit goes back to one: sha256, null for the model's"


def _to_mask(draft: Draft, edit: Edit, masks: Collection[str]) -> Edit:
    sha256 = edit.after["sha256"] if isinstance(edit.after, dict) else None
    if sha256 is not None and sha256 not in masks:
        raise InputError("this reading has had no such mask")
    after = mask_to_plain(sha256 if isinstance(sha256, str) else None, draft.segments)
    return replace(edit, target="", after=after)


def _conclusion(_draft: Draft, edit: Edit, _extent: Extent) -> Mistakes:
    if edit.after is not None and not is_text(edit.after, LONGEST):
        yield f"a conclusion is text of at most {LONGEST} characters, or null"


def _assessment(draft: Draft, edit: Edit, scales: Scales) -> Mistakes:
    name, value = edit.target, edit.after
    if name not in draft.assessments and name not in scales:
        known = ", ".join(dict.fromkeys((*draft.assessments, *scales))) or "none"
        yield f"there is no assessment {short(name)}; there are {known}"
    elif value is None:
        return
    elif name in scales:
        kinds = {(type(each), each) for each in scales[name]}
        if isinstance(value, list | dict) or (type(value), value) not in kinds:
            yield f"{name} is one of {', '.join(map(str, scales[name]))}"
    else:
        yield from _like(name, value, draft.assessments[name])


def _like(name: str, value: Plain, held: Assessment) -> Mistakes:
    """Let an assessment keep its kind: a yes or no, a number, a word, numbers."""
    match held:
        case bool():
            if not isinstance(value, bool):
                yield f"{name} is true or false"
        case int() | float():
            if not is_number(value):
                yield f"{name} is a number"
        case tuple():
            if numbers(value, len(held)) is None:
                yield f"{name} is {len(held)} numbers"
        case None | str():
            is_word = is_text(value, 64) and value != ""
            if not (is_word or (held is None and is_number(value))):
                yield f"{name} is a word of at most 64 characters"
        case _:
            yield f"{name} is not changed by hand"


_CHECKS: Final[Mapping[Action, Callable[[Draft, Edit, Extent], Mistakes]]] = {
    Action.ACCEPT: _nothing,
    Action.REJECT: _nothing,
    Action.REMOVE: _nothing,
    Action.RESTORE: _nothing,
    Action.CHANGE: _fields,
    Action.ADD: _fields,
    Action.MASK: _mask,
    Action.CONCLUDE: _conclusion,
}
