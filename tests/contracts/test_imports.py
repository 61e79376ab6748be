"""Imports point one way: types <- ops <- {losses, models, augment, data, ...} <- {training, ...} <- cli."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "wsed"
FLOORS = {"errors": 0, "literals": 1, "files": 1, "spec": 2, "types": 3, "registry": 3, "text": 4, "split_folder": 4}
FLOORS |= {"formats": 5, "build": 4, "lazy": 4, "checkpoint": 5, "checkpoint_checks": 4.5, "learning": 5, "ops": 5}
FLOORS |= {"checkpoint_specs": 4.5}
FLOORS |= {"shipped": 0, "transfer": 1, "event_columns": 2, "clip_names": 2, "truth": 4, "values": 5}
FLOORS |= {"augment": 5.5}  # the data module applies them
FLOORS |= dict.fromkeys(("losses", "models", "data", "decoding", "metrics"), 6)
FLOORS |= {"scoring": 7, "run": 7.5}
FLOORS |= dict.fromkeys(
    ("training", "inference", "tuned", "tuning", "calibration", "report", "testing", "study", "demo"), 8
) | {"cli": 9}
LIGHTNING = ("training/", "cli/", "data/module.py")
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py") if p.name != "__init__.py")


def statements(node, deep=True):
    """The imports of a module but those for type checkers; not within functions unless `deep`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif deep or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, deep)


def imported(file, deep=True):
    for node in statements(ast.parse((ROOT / file).read_text()), deep):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)


def part(path):
    return path.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES)
def test_arrows_point_down(file):
    mine = part(file)
    for module, _ in imported(file):
        if not module.startswith("wsed."):
            continue
        other = module.split(".")[1]
        assert other == mine or FLOORS[other] < FLOORS[mine] or FLOORS[mine] >= 8, f"{file} imports {module}"
        assert FLOORS[other] <= FLOORS[mine]


def test_no_module_imports_itself_by_way_of_others():
    modules = {path: f"wsed/{path}".removesuffix(".py").replace("/", ".") for path in FILES}
    known = set(modules.values())
    arrows = {module: targets(path) & known for path, module in modules.items()}
    while leaves := [module for module, others in arrows.items() if not others & arrows.keys()]:
        for module in leaves:
            del arrows[module]
    assert not arrows, f"these import one another in a circle, or those that do: {sorted(arrows)}"


def targets(path):
    """What a module imports when it is imported: modules, or names of them."""
    for_each = ((module, node) for module, node in imported(path, deep=False))
    return {
        name
        for module, node in for_each
        for name in (module, *(f"{module}.{alias.name}" for alias in node.names if isinstance(node, ast.ImportFrom)))
    }


@pytest.mark.parametrize("file", FILES)
def test_lightning_is_imported_in_few_places(file):
    if not file.startswith(LIGHTNING):
        assert not [m for m, _ in imported(file) if m.split(".")[0] in ("lightning", "pytorch_lightning")]


def output(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1]


def test_metrics_and_decoding_need_numpy_and_torch_only():
    heavy = "{'lightning', 'pandas', 'scipy', 'torchaudio'}"
    assert output(f"import sys, wsed.metrics, wsed.decoding; print({heavy} & set(sys.modules))") == "set()"


def test_help_imports_nothing_heavy():
    assert (
        output("import sys; from wsed.cli.main import main; main(['--help']); print('torch' in sys.modules)") == "False"
    )


def test_training_draws_nothing_until_it_writes():
    paths = {f"wsed/{path}".removesuffix(".py").replace("/", "."): path for path in FILES}
    reached, rest = set(), ["wsed.training.evaluation"]
    while rest:
        module = rest.pop()
        if module in paths and module not in reached:
            reached.add(module)
            rest.extend(targets(paths[module]))
    assert len(reached) > 20
    assert "wsed.report.pictures" in paths
    assert "wsed.report.pictures" not in reached
