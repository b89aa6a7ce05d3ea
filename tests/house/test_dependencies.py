"""What we depend on is declared, locked and light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
DEVELOPMENT = [Requirement(line) for line in PROJECT["dependency-groups"]["dev"]]
BUILD = [Requirement(line) for line in PROJECT["build-system"]["requires"]]


def pins(lock: str) -> dict[str, set[str]]:
    """The versions that a lock file in requirements/ allows, by package (more than one where Pythons differ)."""
    text = (ROOT / "requirements" / lock).read_text()
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize(("lock", "declared"), [("runtime.txt", RUNTIME), ("dev.txt", RUNTIME + DEVELOPMENT + BUILD)])
def test_the_lock_follows_the_project(lock: str, declared: list[Requirement]) -> None:
    """Every declared dependency is locked at a version that its declaration allows; if not, run `make lock`."""
    locked = pins(lock)
    astray = [
        str(requirement)
        for requirement in declared
        if not (versions := locked.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version) for version in versions)
    ]
    assert astray == []


def test_the_lock_keeps_nothing_that_was_let_go() -> None:
    """What the lock holds on the project's own account is still declared; if not, run `make lock`."""
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    entry = r"^([A-Za-z0-9._-]+)==(?:(?!^\S).)*?\btieback \(pyproject\.toml\)"
    kept = {canonicalize_name(name) for name in re.findall(entry, text, flags=re.MULTILINE | re.DOTALL)}
    assert kept == {canonicalize_name(requirement.name) for requirement in RUNTIME}


def test_what_is_tested_is_what_is_installed() -> None:
    """Both locks hold the same versions of what the product runs on."""
    tested = pins("dev.txt")
    assert {name: versions for name, versions in pins("runtime.txt").items() if tested.get(name) != versions} == {}


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt", "engines.txt", "clients.txt"])
def test_a_lock_is_good_on_any_machine(lock: str) -> None:
    """A lock holds names, versions and hashes: no address, no path, no option that says where to fetch from."""
    lines = (ROOT / "requirements" / lock).read_text().splitlines()
    assert [line for line in lines if "://" in line or " @ " in line or line.startswith("-") or " /" in line] == []
    entries = [line for line in lines if re.match(r"[a-z]", line, flags=re.IGNORECASE)]
    assert entries
    assert [line for line in entries if "==" not in line or not line.endswith("\\")] == []


def test_every_import_is_declared() -> None:
    """The product imports nothing that its own declaration does not name."""
    extras = [Requirement(line) for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
    declared = {canonicalize_name(requirement.name) for requirement in (*RUNTIME, *extras)}
    distributions = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for module in imported(ast.parse(path.read_text()))
        if module != "tieback" and module not in sys.stdlib_module_names
        if not declared & {canonicalize_name(name) for name in distributions.get(module, [module])}
    }
    assert undeclared == set()


def imported(tree: ast.Module) -> set[str]:
    """The top-level names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_the_command_line_loads_no_engine() -> None:
    """Help and usage errors answer at once: an engine is loaded by the command that needs it, never before."""
    code = "import sys, tieback.cli; print(*{'duckdb', 'ibis', 'pyarrow', 'sqlglot', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
