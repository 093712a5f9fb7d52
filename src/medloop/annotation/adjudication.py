"""Taking a side: the edits by which one draft comes to say what another says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from jaxtyping import Integer
from numpy import ndarray

from medloop.annotation.draft import (
    PLACES,
    Draft,
    Drafted,
    FindingState,
    key_for_added,
    mask_to_plain,
)
from medloop.annotation.matching import is_there, nearest
from medloop.annotation.merging import Drawing, Merged, with_all, with_object
from medloop.core.edit import Action
from medloop.core.finding import Finding
from medloop.core.image import Segment
from medloop.core.plain import Plain, Record, finding_to_plain, to_plain


@dataclass(frozen=True, slots=True)
class Step:
    """An edit to be made: what a page would send."""

    action: Action
    target: str
    after: Plain = None


Labels = Integer[ndarray, "*shape"]


@dataclass(frozen=True, slots=True)
class Masks:
    """Where label maps are: `read` gives one by its SHA-256, `keep` keeps one.

    None stands for the analysis' own. All lie on the voxels of one image.
    """

    read: Callable[[str | None], Labels]
    keep: Callable[[Labels, Mapping[int, Segment]], str]

    def drawing(self, draft: Draft) -> Drawing:
        """Return a draft with its label map."""
        return Drawing(draft, self.read(draft.mask))


def to_say(now: Draft, wanted: Draft) -> tuple[Step, ...]:
    """Return the edits that make `now` say all that `wanted` says; none if it does already."""
    return (
        *_findings(now, wanted),
        *_grades(now, wanted),
        *to_show(now, wanted),
        *_rejected_since(now, wanted),
        *_text(now, wanted),
    )


def to_say_of(now: Draft, key: str, wanted: Drafted | None) -> tuple[Step, ...]:
    """Return the edits that make `now` say of one finding what `wanted` says.

    `key` is the finding's in the record; any other stands for a finding that was added, which
    `now` has if one of its own lies in the same place. None, and a rejected finding, mean that
    it is not there.
    """
    mine = {each.key: each for each in now.findings}
    if key in mine and mine[key].state is not FindingState.ADDED:
        return () if wanted is None else tuple(_proposed(mine[key], wanted))
    return tuple(_of_added(now, wanted))


def to_take(
    now: Draft, key: str, wanted: Draft, said: Drafted, masks: Masks
) -> tuple[Step, ...]:
    """Return the edits that take a finding from `wanted`, with the object that was drawn of it.

    `key` is as in `to_say_of`. The object gets a number that nothing else in `now` has.

    Raises
    ------
    InputError
        If the object lies where that of another finding does.
    """
    label = said.finding.segment
    if label is None or not is_there(said) or _is_alike(now, wanted, label):
        return to_say_of(now, key, said)
    mine = masks.drawing(now)
    merged = with_object(mine, masks.drawing(wanted), key, said)
    number = merged.numbers[key]
    numbered = replace(said, finding=replace(said.finding, segment=number))
    return (*_merged(now, mine, merged, masks), *to_say_of(now, key, numbered))


def to_show_all(now: Draft, wanted: Draft, masks: Masks) -> tuple[Step, ...]:
    """Return the edits that give `now` the label map of `wanted`; findings stay as they are.

    Objects of findings that only `now` has stay, too, and are numbered anew where they must be.

    Raises
    ------
    InputError
        If one of them lies where an object of `wanted` does.
    """
    if not to_show(now, wanted):
        return ()
    theirs = masks.drawing(wanted)
    merged = with_all(masks.drawing(now), theirs)
    steps = [
        Step(Action.CHANGE, key, {"segment": number}) for key, number in merged.numbers.items()
    ]
    if merged.labels is theirs.labels and dict(merged.segments) == dict(wanted.segments):
        return (*to_show(now, wanted), *steps)
    sha256 = masks.keep(merged.labels, merged.segments)
    return (Step(Action.MASK, "", mask_to_plain(sha256, merged.segments)), *steps)


def to_drop(now: Draft, other: Finding) -> tuple[Step, ...]:
    """Return the edits that take away an added finding which lies where `other` does."""
    same = nearest(now, other)
    return () if same is None else (Step(Action.REMOVE, same.key),)


def to_say_grade(now: Draft, scale: str, wanted: Draft) -> tuple[Step, ...]:
    """Return the edits that give one assessment the value that `wanted` gives it."""
    value = wanted.assessments.get(scale)
    if now.assessments.get(scale) == value and scale in now.assessments:
        return ()
    return (Step(Action.ASSESS, scale, to_plain(value)),)


def to_show(now: Draft, wanted: Draft) -> tuple[Step, ...]:
    """Return the edits that give `now` the label map of `wanted`."""
    if (now.mask, dict(now.segments)) == (wanted.mask, dict(wanted.segments)):
        return ()
    return (Step(Action.MASK, "", mask_to_plain(wanted.mask, wanted.segments)),)


def _rejected_since(now: Draft, wanted: Draft) -> Iterator[Step]:
    """Reject again what `wanted` rejected after it drew: it goes with all that was drawn."""
    if wanted.mask is None:
        return
    same = {each.key for each in now.findings if each.state is FindingState.REJECTED}
    for each in wanted.findings:
        is_late = _is_late(wanted, each, wanted.mask)
        if is_late and not (each.key in same and now.rejected_in.get(each.key) == wanted.mask):
            yield Step(Action.REJECT, each.key)


def _is_late(draft: Draft, found: Drafted, mask: str) -> bool:
    is_rejected = found.state is FindingState.REJECTED
    return is_rejected and draft.rejected_in.get(found.key) == mask


def _is_alike(now: Draft, wanted: Draft, label: int) -> bool:
    """Whether a label is the same object in both, without a look at any voxel."""
    is_free = sum(each.finding.segment == label for each in now.findings) < 2
    known, theirs = now.segments.get(label), wanted.segments.get(label)
    return now.mask == wanted.mask and is_free and known is not None and known == theirs


def _merged(now: Draft, mine: Drawing, merged: Merged, masks: Masks) -> Iterator[Step]:
    is_same = merged.labels is mine.labels
    if is_same and dict(merged.segments) == dict(now.segments):
        return
    sha256 = now.mask if is_same else masks.keep(merged.labels, merged.segments)
    yield Step(Action.MASK, "", mask_to_plain(sha256, merged.segments))


def _text(now: Draft, wanted: Draft) -> tuple[Step, ...]:
    if now.conclusion == wanted.conclusion:
        return ()
    return (Step(Action.CONCLUDE, "", wanted.conclusion),)


def _grades(now: Draft, wanted: Draft) -> Iterator[Step]:
    for scale in wanted.assessments:
        yield from to_say_grade(now, scale, wanted)


def _findings(now: Draft, wanted: Draft) -> Iterator[Step]:
    for each in now.findings:
        if each.state is not FindingState.ADDED:
            yield from _proposed(each, wanted.finding(each.key))
    missing = [each for each in wanted.findings if each.state is FindingState.ADDED]
    for each in now.findings:
        if each.state is FindingState.ADDED:
            same = [other for other in missing if _same(each.finding, other.finding)]
            if same:
                missing.remove(same[0])
            else:
                yield Step(Action.REMOVE, each.key)
    for number, each in enumerate(missing, start=now.added + 1):
        yield Step(Action.ADD, f"a{number}", _told(each))


def _proposed(mine: Drafted, wanted: Drafted) -> Iterator[Step]:
    """Lead a proposed finding from state to state; to accept keeps changes, so undo them."""
    is_same = mine.state is FindingState.REJECTED or _same(mine.finding, wanted.finding)
    if mine.state is wanted.state and is_same:
        return
    match wanted.state:
        case FindingState.REJECTED:
            yield Step(Action.REJECT, mine.key)
        case FindingState.CHANGED:
            if mine.state is FindingState.REJECTED:  # the same change brings nothing back
                yield Step(Action.RESTORE, mine.key)
            yield Step(Action.CHANGE, mine.key, _whole(wanted))
        case FindingState.PROPOSED:
            yield Step(Action.RESTORE, mine.key)
        case _:
            if mine.before is not None:
                yield Step(Action.RESTORE, mine.key)
            yield Step(Action.ACCEPT, mine.key)


def _of_added(now: Draft, wanted: Drafted | None) -> Iterator[Step]:
    if wanted is None:
        return
    same = nearest(now, wanted.finding)
    if same is None:
        yield Step(Action.ADD, key_for_added(now), _told(wanted))
    elif not _same(same.finding, wanted.finding):
        yield Step(Action.CHANGE, same.key, _whole(wanted))


def _same(one: Finding, other: Finding) -> bool:
    """Whether two findings are written alike."""
    return finding_to_plain(one) == finding_to_plain(other)


def _whole(wanted: Drafted) -> Plain:
    """Describe a finding so that it replaces all of another: places it lacks are taken away."""
    return {**dict.fromkeys(PLACES), **_told(wanted), "comment": wanted.comment}


def _told(wanted: Drafted) -> Record:
    """Describe a finding with the reader's remark, if there is one."""
    said: Record = {"comment": wanted.comment} if wanted.comment else {}
    return {**finding_to_plain(wanted.finding), **said}
