"""What a file is made of: its first bytes, and UTF-8 text whatever it was written in."""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

from tieback.errors import ConfigError, InputError, WorkspaceError

Result = TypeVar("Result")

_SAMPLE = 1 << 20
_CHUNK = 1 << 22
_DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error)
_ODD_HEADS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"SQLite format 3": "a SQLite database",
}


@dataclass(frozen=True)
class Opening:
    """What the first bytes of a file show. `sample`: its first megabyte, unpacked."""

    is_parquet: bool
    is_gzip: bool
    sample: bytes


@dataclass(frozen=True)
class Plain:
    """A file that reads as UTF-8: itself or a copy. `sample`: its first megabyte as text, without byte order mark."""

    path: Path
    sample: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assumed:
    """How a file is taken to be written. encoding: "" for what its sample shows; mixed_ends: lines end in two ways."""

    encoding: str = ""
    mixed_ends: bool = False


class OtherwiseError(Exception):
    """Reading showed that a file is not written as it was taken to be: it is to be read anew."""

    instead: ClassVar[dict[str, Any]]


class NotUtf8Error(OtherwiseError):
    """Bytes that are no UTF-8 turned up beyond the sample."""

    instead: ClassVar = {"encoding": "cp1252"}


class MixedEndsError(OtherwiseError):
    """Some lines end with a line feed alone, and others with carriage return and line feed."""

    instead: ClassVar = {"mixed_ends": True}


def as_it_turns_out(read: Callable[[Assumed], Result], encoding: str) -> Result:
    """What comes of `read`, called anew with what it learnt of its file until nothing is otherwise than assumed.

    Raises InputError when reading anew learns nothing more.
    """
    assumed = Assumed(encoding)
    while True:
        try:
            return read(assumed)
        except OtherwiseError as error:
            learnt = replace(assumed, **error.instead)
            if learnt == assumed:
                raise InputError("The file cannot be read as a table, however it is taken. Export it again.") from error
            assumed = learnt


def opening(path: Path) -> Opening:
    """The first bytes of `path`. Raises InputError when it cannot be read as a table at all."""
    if path.is_dir():
        raise InputError(f"{path} is a folder. Name the files in it, for instance {path}/*.csv.")
    if path.exists() and not path.is_file():
        raise InputError(
            f"{path} is a pipe or a device, which can be read only once. Write it to a file and import that."
        )
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise InputError(f"The name of {shown} is not UTF-8. Rename the file or its folder, and import it.") from None
    try:
        with path.open("rb") as file:
            head = file.read(_SAMPLE)
        is_gzip = head.startswith(b"\x1f\x8b")
        if is_gzip:
            with gzip.open(path) as unpacked:
                head = unpacked.read(_SAMPLE)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Check its name and folder.") from None
    except _DAMAGES:
        raise damaged(path) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from None
    if not head:
        raise InputError(f"{path.name} is empty. Export it again, with its header.")
    for start, what in _ODD_HEADS.items():
        if head.startswith(start):
            raise InputError(f"{path.name} is {what}. Save the table as CSV and import that.")
    return Opening(head.startswith(b"PAR1"), is_gzip, head)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A copy of the gzip file `path`, unpacked, that goes away after the block."""
    with tempfile.TemporaryDirectory(prefix="tieback-") as folder:
        copy = Path(folder) / "unpacked"
        try:
            with gzip.open(path) as file, copy.open("wb") as out:
                shutil.copyfileobj(file, out)
        except _DAMAGES:
            raise damaged(path) from None
        yield copy


@contextmanager
def checked(path: Path) -> Iterator[None]:
    """Hold the gzip file `path` against its check sum while the block reads it, which the engine does not.

    Raises InputError at the end of the block when it is damaged.
    """
    is_over = threading.Event()

    def to_the_end() -> None:
        with gzip.open(path) as file:
            while not is_over.is_set() and file.read(_CHUNK):
                pass

    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(to_the_end)
        try:
            yield
            reading.result()
        except _DAMAGES:
            raise damaged(path) from None
        finally:
            is_over.set()


def damaged(path: Path) -> InputError:
    """What to say of a gzip file that cannot be unpacked, or is not what was packed."""
    return InputError(f"{path.name} is a damaged gzip file: nothing of it was taken in. Fetch or pack it again.")


@contextmanager
def as_utf8(path: Path, start: Opening, assumed: Assumed) -> Iterator[Plain]:
    """`path` as UTF-8 text: as it is where it can be, else through a copy that goes away after the block.

    A copy of a file with mixed ends of lines has a line feed at each. Raises InputError for binary files, and
    ConfigError for an encoding that does not exist.
    """
    found = assumed.encoding or _encoding(path, start.sample)
    try:
        name = codecs.lookup(found).name
        "".encode(name)
    except (LookupError, UnicodeError):
        raise ConfigError(
            f"There is no encoding {found!r} to read {path.name} with. Try utf-8, utf-16 or latin-1."
        ) from None
    is_utf8 = name in ("utf-8", "utf-8-sig", "ascii")
    if is_utf8 and not assumed.mixed_ends:
        yield Plain(path, start.sample.decode("utf-8-sig", "ignore"))
        return
    with tempfile.TemporaryDirectory(prefix="tieback-") as folder:
        copy = Path(folder) / "utf8"
        _transcode(path, copy, "utf-8" if is_utf8 else name, packed=start.is_gzip, one_end=assumed.mixed_ends)
        with copy.open("rb") as file:
            sample = file.read(_SAMPLE).decode("utf-8", "ignore")
        said = "Latin-1 (Windows-1252)" if name == "cp1252" else name.upper()
        is_told = not is_utf8 and not assumed.encoding
        yield Plain(copy, sample, (f"{path.name} is not UTF-8; it was read as {said}.",) if is_told else ())


def _encoding(path: Path, sample: bytes) -> str:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in sample:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) > len(sample) // 4 > min(even, odd):
            return "utf-16-be" if even > odd else "utf-16-le"
        raise InputError(f"{path.name} holds NUL bytes: it is no text, or it is damaged. Export it again as CSV.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _transcode(path: Path, copy: Path, encoding: str, *, packed: bool, one_end: bool) -> None:
    # Windows-1252 leaves five bytes undefined; Latin-1 gives them a meaning, so that every byte has one.
    codecs.register_error("tieback_latin1", _latin1)
    decoder: Any = codecs.getincrementaldecoder(encoding)("tieback_latin1" if encoding == "cp1252" else "strict")
    if one_end:
        decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
    try:
        with _bytes(path, packed=packed) as file, copy.open("w", encoding="utf-8", newline="") as out:
            first = True
            while chunk := file.read(_CHUNK):
                text = decoder.decode(chunk)
                out.write(text.removeprefix("\ufeff") if first else text)
                first = False
            out.write(decoder.decode(b"", final=True))
    except UnicodeError as error:
        if encoding == "utf-8":
            raise NotUtf8Error from None
        raise InputError(f"{path.name} is not {encoding} throughout ({error}). Save it as UTF-8.") from None
    except _DAMAGES:
        raise damaged(path) from None
    except OSError as error:
        free = shutil.disk_usage(copy.parent).free
        raise WorkspaceError(
            f"{path.name} could not be copied as UTF-8 to {copy.parent} ({error.strerror}, {free // 2**20} MB free). "
            "Free some space and run the same command again; nothing was changed."
        ) from None


def _latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


def _bytes(path: Path, *, packed: bool) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if packed else path.open("rb")
