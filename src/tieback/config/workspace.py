"""A workspace: a folder with a tieback.toml, and the files beside it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tieback.config.reading import FILE_NAME, settings_from
from tieback.config.settings import Settings
from tieback.errors import WorkspaceError

SALT_NAME = "tieback.salt"
WAREHOUSE_NAME = "warehouse.duckdb"
RUNS_NAME = "runs"
INTAKE_NAME = "intake.duckdb"
LEDGER_NAME = "ledger.sqlite"


@dataclass(frozen=True)
class Workspace:
    """A folder with a tieback.toml: its settings and where its files lie. salt: empty when its file is lost."""

    folder: Path
    settings: Settings
    salt: str

    @property
    def warehouse(self) -> Path:
        """The embedded warehouse's file."""
        return self.folder / WAREHOUSE_NAME

    @property
    def runs(self) -> Path:
        """The folder of the finished runs that readers see."""
        return self.folder / RUNS_NAME

    @property
    def intake(self) -> Path:
        """The embedded file that files are read through: the warehouse, unless that is another engine."""
        return self.folder / INTAKE_NAME if self.settings.warehouse.url else self.warehouse

    @property
    def ledger(self) -> str:
        """The URL of the ledger, whose variables are still to be put in: that of the settings, or of its own file."""
        return self.settings.collect.ledger or f"sqlite:///{(self.folder / LEDGER_NAME).resolve()}"


def open_workspace(folder: Path) -> Workspace:
    """The workspace in `folder`.

    Raises WorkspaceError if there is none, ConfigError if its tieback.toml is not right.
    """
    file = folder / FILE_NAME
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        where = "the current folder" if folder == Path() else str(folder)
        raise WorkspaceError(
            f"There is no {FILE_NAME} in {where}. Make one with `tieback init`, or name its folder with -w."
        ) from None
    except NotADirectoryError:
        raise WorkspaceError(f"{folder} is a file. Name the workspace's folder with -w.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{file} cannot be read ({error}). Mend the file or its permissions.") from None
    return Workspace(folder, settings_from(text, str(file)), _salt(folder))


def write_new(file: Path, text: str, mode: int = 0o666) -> None:
    """Make `file` with `text`, whole or not at all: nobody ever sees half of it, and of two processes one makes it.

    Raises FileExistsError when it is there already, other OSErrors when it cannot be made.
    """
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        try:
            os.link(aside, file)
        except OSError:  # it is there already, or nothing can be linked here: then whoever claims the name makes it
            file.touch(mode, exist_ok=False)
            aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _salt(folder: Path) -> str:
    """The workspace's salt; made on first use, for its owner alone. Empty where it is lost and facts are not."""
    file = folder / SALT_NAME
    try:
        if not file.exists() and any((folder / name).exists() for name in (WAREHOUSE_NAME, INTAKE_NAME)):
            return ""
        if not file.exists():
            with suppress(FileExistsError):
                write_new(file, os.urandom(32).hex() + "\n", 0o600)
        salt = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(
            f"{file} cannot be made or read ({error}). Check the folder's permissions and free space."
        ) from None
    if not re.fullmatch(r"[0-9a-f]{64}", salt):
        raise WorkspaceError(
            f"{file} does not hold a salt of 64 hexadecimal digits. Restore it from a backup: with another one, nobody "
            "who was imported before would be known again."
        )
    return salt
