"""Every reason that pages show, why something was not done, has its Chinese."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import JPEG2000

import medloop
from medloop.apps.web.refusals import chinese, reason_in
from medloop.apps.web.texts.reasons import REASONS
from medloop.clinical.report.language import Language
from medloop.dicom.damage import damage
from medloop.dicom.pixels import _why
from medloop.imaging.hounsfield import _SAID
from medloop.learning.gate import Gate
from medloop.models.bundle import load_bundle, shipped_bundles
from medloop.workflow.statement import _TOLD_AGAIN

ROOT = Path(medloop.__file__).parent
# Where a run can be skipped, and by which functions series are refused: these return reasons.
SKIPPING = (
    *ROOT.glob("clinical/**/*.py"),
    *ROOT.glob("imaging/*.py"),
    *ROOT.glob("dicom/*.py"),
)
OF_COMMANDS = {"deface.py"}  # no page leads there
OF_REPORTS = {"fleischner.py"}  # says to whom a guideline applies
RETURNING = re.compile(r"reason_against\w*|against_slices|obstacle")
RETURNED_IN = (*SKIPPING, ROOT / "workflow/room.py")
# What reads the files of an analysis; the other modules read what users hand to a command.
READING = (
    "charls.py",
    "deflate.py",
    "enhanced.py",
    "header.py",
    "layout.py",
    "photo.py",
    "pixels.py",
    "plain.py",
    "read.py",
)
# What is on the way from a signed statement to its documents.
ISSUING = (
    "annotation/draft.py",
    "store/archive.py",
    "store/issues.py",
    "store/readings.py",
    "workflow/products.py",
    "workflow/reissue.py",
    "workflow/remote.py",
    "workflow/reviewing.py",
    "workflow/routing.py",
    "workflow/statement.py",
    "workflow/stored.py",
)


def texts(node: ast.AST | None, names: dict[str, ast.expr]) -> list[str]:
    """What an expression may come to, 7 in place of what varies; nothing if it is no text."""
    match node:
        case ast.Constant(value=str(said)):
            return [said]
        case ast.JoinedStr(values=parts):
            return ["".join(one) for one in product(*(texts(p, names) or ["7"] for p in parts))]
        case ast.FormattedValue(value=value) | ast.NamedExpr(value=value):
            return texts(value, names)
        case ast.Name(id=name) if name in names:
            return texts(names[name], {k: v for k, v in names.items() if k != name})
        case ast.IfExp(body=one, orelse=other):
            return texts(one, names) + texts(other, names)
    return []


def named(tree: ast.AST) -> dict[str, ast.expr]:
    """The texts that names stand for within a function or a module."""
    return {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.JoinedStr | ast.Constant | ast.IfExp)
    }


def raised(path: Path, errors: tuple[str, ...]) -> Iterator[str]:
    """What errors of some classes may say that a module raises."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = named(ast.Module([n for n in tree.body if isinstance(n, ast.Assign)], []))
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        names = module | named(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors:
                yield from texts(node.args[0], names)


def returned(path: Path) -> Iterator[str]:
    """What functions return that say why not."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef) and RETURNING.fullmatch(function.name):
            for node in ast.walk(function):
                if isinstance(node, ast.Return):
                    yield from (each for each in texts(node.value, named(function)) if each)


def objections() -> Iterator[str]:
    """What a photograph is refused with: the second of each rule."""
    tree = ast.parse((ROOT / "imaging/suitability.py").read_text(encoding="utf-8"))
    rules = next(n for n in ast.walk(tree) if getattr(n, "name", "") == "_objection")
    for node in ast.walk(rules):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            yield from texts(node.elts[1], named(rules))


def reasons() -> set[str]:
    """All of them."""
    found = set(objections())
    for path in SKIPPING:
        if path.name not in OF_COMMANDS:
            found |= set(raised(path, ("UnsuitableError",)))
    for path in RETURNED_IN:
        if path.name not in OF_REPORTS:
            found |= set(returned(path))
    for each in ISSUING:
        found |= set(raised(ROOT / each, ("InputError", "ServiceError", "StaleError")))
    for each in READING:
        found |= set(raised(ROOT / "dicom" / each, ("InputError", "GeometryError")))
    found |= {said.rstrip(".") for said in _SAID.values()}
    # the words that are put in by a loop
    loops = {each for each in found if each.startswith("slices 7 mm 7")}
    thick = {each.replace("mm 7", f"mm {how}") for each in loops for how in ("thick", "apart")}
    return found - loops | thick


@pytest.mark.parametrize("said", sorted(reasons()))
def test_a_reason_has_chinese_words(said):
    words = chinese(said)
    assert words, f"{said!r} is missing in texts/reasons.py"
    assert re.search("[\u3400-\u9fff]", words)


def test_all_reasons_are_found():
    found = reasons()
    assert len(found) > 80
    assert "no axial 7 CT in the study: 7" in found
    assert "no lungs found: the volume shows no body" in found
    assert "disk is read-only" in found
    assert "DICOM header is damaged: 7" in found


def test_what_a_reason_holds_is_said_in_chinese_too():
    why = "4 slices, at least 12 are needed; coronal slices, not axial; modality MR, not CT"
    assert chinese(f"no axial head and neck CT in the study: {why}") == (
        "检查中没有可用的头颈部轴位 CT：4 层，至少需要 12 层；冠状位层面，不是轴位；"
        "模态为 MR，不是 CT"
    )
    assert chinese("no photograph in the study: CT volume, SR without pixels") == (
        "检查中没有照片，只有：CT 三维图像、SR 不含像素"
    )
    assert chinese("no photograph in the study: SR none") == (  # as stores may hold
        "检查中没有照片，只有：SR（无像素）"
    )
    assert chinese("slice 4f: DICOM file is damaged: Rows (0028,0010) is missing") == (
        "层面 4f：DICOM 文件已损坏：缺少 Rows（0028,0010）"
    )
    assert chinese("not a color fundus photograph: nothing is lit") == (
        "不是彩色眼底照片：照片全暗"
    )
    lost = "quarantined: 3 workers were lost on it, the last: its lease ran out"
    assert chinese(lost) == "已隔离：3 个工作进程在此任务上异常终止，最后一次：租约到期"
    assert "分析结果、分割" in str(
        chinese("no longer what was signed: the result, the mask; look at it and sign again")
    )


def test_parts_of_what_was_signed_have_names():
    for name in _TOLD_AGAIN.values():
        said = chinese(f"no longer what was signed: {name}; look at it and sign again")
        assert name not in str(said)


def test_a_reason_that_nobody_translated_stays_english_and_says_so():
    assert reason_in(Language.CHINESE, "quite new").lang == "en"
    assert reason_in(Language.CHINESE, "disk is read-only").words == "磁盘为只读"
    assert reason_in(Language.CHINESE, "disk is read-only").lang == "zh-Hans"
    assert reason_in(Language.ENGLISH, "disk is read-only").words == "disk is read-only"


@pytest.mark.parametrize("figure", ["mean Dice", "Dice", "AUC", "sensitivity at 1 false mark"])
def test_a_gate_says_in_chinese_why_a_twin_was_or_was_not_made(figure):
    said = chinese(Gate(figure, 0.9, 0.8, ("a",), 22).reason)
    assert said is not None
    assert "22 个运算中 1 个保留 FP32" in said
    assert "false mark" not in said


@pytest.mark.parametrize("name", shipped_bundles())
def test_shipped_cards_say_in_chinese_what_the_gate_found(name):
    assert chinese(load_bundle(name).card["int8"]["reason"])


def test_both_languages_hold_the_same_values():
    for english, words in REASONS.items():
        assert set(re.findall(r"{\w+}", words)) <= set(re.findall(r"{\w+}", english)), english


@pytest.mark.parametrize(
    "error",
    [
        KeyError(Tag(0x00280010)),
        KeyError(Tag(0x00090010)),
        ValueError("element (0028,0010)"),
        ValueError("something"),
        EOFError(),
        MemoryError(),
        RecursionError(),
    ],
)
def test_what_is_wrong_with_an_object_has_chinese_words(error):
    words = chinese(f"DICOM file is damaged: {damage(error)}")
    assert re.fullmatch(r"DICOM 文件已损坏：[\u3400-\u9fff].*", words)


@pytest.mark.parametrize("error", [NotImplementedError(), RuntimeError()])
def test_what_cannot_be_decoded_is_said_in_chinese(error):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEG2000
    assert "JPEG 2000" in chinese(_why(dataset, error))
