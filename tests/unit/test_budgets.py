"""The house rules that no linter knows. Each rule is a function from a file's text to what is wrong with it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "src/escalator/"

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_PUBLIC_METHODS = 12
VAGUE_NAMES = {"utils", "util", "common", "helpers", "misc", "shared"}
LARGER_CLASSES = {
    "CloudManager": (17, "the port of a block: one method for each thing the manager asks of a cloud"),
    "OpenStackCloud": (18, "that port on OpenStack, and the end of its connections"),
    "SimulatedCloud": (17, "that port on the simulated world"),
    "SystemSupport": (13, "the port of a block: one method for each thing the manager asks of a node"),
    "PackagesSystem": (13, "that port on packages"),
    "CommandSystem": (13, "that port on commands"),
    "SimulatedSystem": (13, "that port on the simulated world"),
    "State": (13, "the simulated world's tables, which change together in one transaction"),
}
"""Classes with more public methods than others may have: how many, and why. They do not grow."""
BROAD_HANDLERS = {
    "upgrade_manager/engine/runner.py:outcome_of": "the step boundary: whatever fails in a step, the node is put back",
    "upgrade_manager/engine/worker.py:seen_to_its_end": "the worker loop: whatever fails, the campaign must not be left alone",
}
"""The places where any exception is caught, and why. There is no third."""
OTHER_PEOPLES_PATHS = re.compile(
    r"(?<![\w./{}-])/(work|home|Users|var/tmp)/[a-z0-9_]|(?<![\w./{}-])/root/(\.pyenv|\.cache|\.venv)"
)
"""Where developers keep their checkouts; nobody else has these paths."""

Rule = Callable[[str, str], Iterator[str]]
"""Takes a file's path inside the repository and its text; yields what breaks the rule."""


def file_budget(path: str, text: str) -> Iterator[str]:
    lines = len(text.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{path}: {lines} lines; {MAX_FILE_LINES} are the limit"


def function_budget(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines; {MAX_FUNCTION_LINES} are the limit"


def method_budget(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            public = [each.name for each in functions_in(node) if not each.name.startswith("_")]
            limit, _ = LARGER_CLASSES.get(node.name, (MAX_PUBLIC_METHODS, ""))
            if len(public) > limit:
                yield f"{path}:{node.lineno}: {node.name} has {len(public)} public methods; {limit} are the limit"


def docstrings(path: str, text: str) -> Iterator[str]:
    module = ast.parse(text)
    if not ast.get_docstring(module):
        yield f"{path}: the module says not what it is for"
    owners: list[ast.Module | ast.ClassDef] = [module]
    for owner in owners:  # grows: public classes are looked into
        for node in owner.body:
            named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if not named or node.name.startswith("_") or is_overload(node):
                continue
            if not ast.get_docstring(node):
                yield f"{path}:{node.lineno}: {node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                owners.append(node)


def broad_handlers(path: str, text: str) -> Iterator[str]:
    for place, line in broad_handlers_in(ast.parse(text), "module"):
        if f"{path.removeprefix(PACKAGE)}:{place}" not in BROAD_HANDLERS:
            yield f"{path}:{line}: {place} catches whatever comes; name what can"


def broad_handlers_in(node: ast.AST, place: str) -> Iterator[tuple[str, int]]:
    """Each with the innermost function it stands in, and its line."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = node.name
    if isinstance(node, ast.ExceptHandler) and {"Exception", "BaseException"} & caught(node):
        yield place, node.lineno
    for inner in ast.iter_child_nodes(node):
        yield from broad_handlers_in(inner, place)


def vague_names(path: str, _: str) -> Iterator[str]:
    for part in Path(path).with_suffix("").parts:
        if part in VAGUE_NAMES:
            yield f"{path}: a module named {part} attracts what belongs elsewhere"


def machine_paths(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if found := OTHER_PEOPLES_PATHS.search(line):
            yield f"{path}:{number}: {found[0]}… is a path of somebody's machine"


def functions_in(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("overload" in ast.unparse(each) for each in node.decorator_list)


def caught(node: ast.ExceptHandler) -> set[str]:
    """Names of what a handler catches; a bare one catches all."""
    if node.type is None:
        return {"BaseException"}
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return {ast.unparse(kind).rsplit(".", 1)[-1] for kind in kinds}


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts]


def tracked_files() -> list[Path]:
    """Files under version control; all files where there is none (in an unpacked source distribution)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return [path for path in sorted(ROOT.rglob("*")) if path.is_file()]
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def broken(rule: Rule, files: list[Path]) -> str:
    """What is wrong with the files, one line each."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # no text
        found += rule(path.relative_to(ROOT).as_posix(), text)
    return "\n".join(found)


@pytest.mark.parametrize("rule", [file_budget, function_budget, vague_names], ids=lambda rule: rule.__name__)
def test_every_python_file_keeps_the_rule(rule: Rule) -> None:
    files = python_files("src", "tests", "benchmarks")
    assert len(files) > 50
    assert broken(rule, files) == ""


@pytest.mark.parametrize("rule", [method_budget, docstrings, broad_handlers], ids=lambda rule: rule.__name__)
def test_every_module_of_the_package_keeps_the_rule(rule: Rule) -> None:
    assert broken(rule, python_files("src")) == ""


def test_no_tracked_file_names_a_path_of_somebodys_machine() -> None:
    assert broken(machine_paths, tracked_files()) == ""


def test_a_file_of_the_limit_passes_and_one_more_line_does_not() -> None:
    assert not [*file_budget("a.py", "x\n" * MAX_FILE_LINES)]
    assert [*file_budget("a.py", "x\n" * (MAX_FILE_LINES + 1))]


def test_a_function_of_the_limit_passes_and_one_more_line_does_not() -> None:
    text = "class A:\n    async def f():\n" + "        x\n" * (MAX_FUNCTION_LINES - 1)
    assert not [*function_budget("a.py", text)]
    assert [*function_budget("a.py", text + "        x\n")] == ["a.py:2: f has 71 lines; 70 are the limit"]


def test_a_class_of_the_limit_passes_and_one_more_method_does_not() -> None:
    text = "class A:\n    def __len__(self): ...\n    def _private(self): ...\n"
    text += "".join(f"    def m{number}(self): ...\n" for number in range(MAX_PUBLIC_METHODS))
    assert not [*method_budget("a.py", text)]
    assert [*method_budget("a.py", text + "    async def more(self): ...\n")]


@pytest.mark.parametrize(
    "text",
    [
        "def f(): ...",
        "'''Doc.'''\ndef f(): ...",
        "'''Doc.'''\nclass A: ...",
        "'''Doc.'''\nclass A:\n    '''Doc.'''\n    async def f(self): ...",
    ],
)
def test_what_is_public_has_a_docstring(text: str) -> None:
    assert [*docstrings("a.py", text)]


def test_what_is_private_needs_no_docstring() -> None:
    text = "'''Doc.'''\ndef _f(): ...\nclass _A:\n    def f(self): ...\nclass B:\n    '''Doc.'''\n    def __len__(self): ..."
    assert not [*docstrings("a.py", text)]


@pytest.mark.parametrize(
    "kind", ["", "Exception", "BaseException", "(ValueError, Exception)", "builtins.Exception", "Exception as error"]
)
def test_a_broad_handler_is_found_where_it_may_not_be(kind: str) -> None:
    text = f"async def outcome_of():\n    try:\n        x\n    except {kind}:\n        pass\n"
    assert [*broad_handlers(f"{PACKAGE}a.py", text)]
    assert [*broad_handlers(f"{PACKAGE}upgrade_manager/engine/runner.py", text.replace("outcome_of", "other"))]
    assert not [*broad_handlers(f"{PACKAGE}upgrade_manager/engine/runner.py", text)]
    assert not [*broad_handlers(f"{PACKAGE}a.py", "try:\n    x\nexcept (ValueError, OSError):\n    pass")]


def test_every_place_with_a_broad_handler_is_still_there() -> None:
    assert len(BROAD_HANDLERS) <= 2
    for entry in BROAD_HANDLERS:
        path, function = entry.split(":")
        places = [place for place, _ in broad_handlers_in(ast.parse((ROOT / PACKAGE / path).read_text()), "module")]
        assert places == [function]


def test_a_vague_name_is_found_anywhere_in_a_path() -> None:
    assert [*vague_names("src/escalator/utils.py", "")]
    assert [*vague_names("src/escalator/common/thing.py", "")]
    assert not [*vague_names("src/escalator/utility.py", "")]


@pytest.mark.parametrize("parts", [("work", "main"), ("home", "ann", "src"), ("Users", "ann"), ("root", ".cache")])
def test_a_path_of_somebodys_machine_is_found(parts: tuple[str, ...]) -> None:
    path = "".join(f"/{part}" for part in parts)
    assert [*machine_paths("a.md", f"run it in {path}")]
    assert not [*machine_paths("a.md", f"run it in build{path} or http://host{path}")]
