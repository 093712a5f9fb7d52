"""``python -m benchmarks NAME ...`` runs one measurement; without a name it lists them."""

import ast
import importlib
import sys
from pathlib import Path


def summaries() -> dict[str, str]:
    """First sentence of each benchmark that can be run, by name; nothing is imported."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(part, ast.FunctionDef) and part.name == "main" for part in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0]
    return found


def run(arguments: list[str]) -> None:
    """Run the benchmark that is named first, with what follows as its options."""
    known = summaries()
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, known)) + 2
        print("\n".join(f"{name:{width}}{summary}" for name, summary in known.items()))
        return
    name, *options = arguments
    if name not in known:
        sys.exit(f"no benchmark {name!r}; there are {', '.join(known)}")
    sys.argv = [f"python -m benchmarks {name}", *options]
    try:
        benchmark = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as why:
        sys.exit(f"{name}: skipped, {why.name} is not installed")
    benchmark.main()


run(sys.argv[1:])
