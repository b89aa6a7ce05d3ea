"""What holds of every file in the repository, whatever room it is in."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tieback"

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Broken by brackets, so that this file does not hold what it looks for.
REGISTRY_HOST = re.compile(r"(?i)\b(?:py[p]i\.(?:org|io)|python[h]osted\.org|npm[j]s\.(?:org|com)|deb[i]an\.org)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|root|home/\w+|Users/\w+)/[\w.]")
UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
IGNORE = re.compile(r"#\s*(?:type:\s*ignore(?:\[[\w, -]+\])?|noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?)(?P<why>.*)")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that git keeps, or will with the next commit, and that is there."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("this is not a git checkout, so the files to look at are not known")
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in files if path.is_file()]


def lines_of(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Each line of the text files among `paths`, with its place."""
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_no_registry_is_named(tracked: list[Path]) -> None:
    """Where packages come from is the machine's business: no registry's host stands in the repository."""
    assert [place for place, line in lines_of(tracked) if REGISTRY_HOST.search(line)] == []


def test_no_path_of_one_machine(tracked: list[Path]) -> None:
    """Nothing points at a place that only one machine has."""
    assert [f"{place}: {line.strip()}" for place, line in lines_of(tracked) if MACHINE_PATH.search(line)] == []


def test_nothing_is_left_for_later(tracked: list[Path]) -> None:
    """What is to be done is done, or stands in an issue."""
    code = [path for path in tracked if path.suffix in {".py", ".toml", ".md", ".sql", ""}]
    assert [place for place, line in lines_of(code) if UNFINISHED.search(line)] == []


def test_every_ignore_is_explained(tracked: list[Path]) -> None:
    """Where a check is silenced, the line says why."""
    unexplained = [
        place
        for place, line in lines_of([path for path in tracked if path.suffix == ".py" and path != Path(__file__)])
        if (found := IGNORE.search(line)) and not re.search(r"\w{3}", found["why"])
    ]
    assert unexplained == []


def source_files() -> list[Path]:
    """Every Python file of the product."""
    return sorted(SOURCE.rglob("*.py"))


def test_a_file_holds_one_idea() -> None:
    """No source file is longer than 400 lines."""
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in source_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_a_function_fits_on_a_screen() -> None:
    """No function is longer than 60 lines, docstring and all."""
    too_long = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert too_long == []


def test_every_room_says_what_it_is_for() -> None:
    """A room has an `__init__` whose docstring says what comes in and what goes out."""
    rooms = [folder for folder in SOURCE.iterdir() if folder.is_dir() and any(folder.glob("*.py"))]
    silent = [
        room.name
        for room in rooms
        if not (room / "__init__.py").is_file() or not ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    ]
    assert silent == []
