"""What a table is: a grain, a key, and typed columns with units and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["string", "timestamp", "date", "int", "float", "decimal", "boolean", "json"]
Kind = Literal["fact", "opinion", "operation"]


@dataclass(frozen=True)
class Column:
    """One column: its type, what it means, and its unit where it has one.

    `timestamp` is a UTC instant without zone; `decimal` is DECIMAL(18, 6) in the currency named beside it.
    """

    name: str
    type: Type
    meaning: str
    unit: str = ""
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table: what a row stands for (`grain`), which columns name it (`key`), and what it holds.

    version: the column by which a later row replaces an earlier one of the same `subject`; empty when
    rows never change. partition: the column by whose values a lake keeps rows in files of their own; empty for none.
    """

    name: str
    kind: Kind
    grain: str
    key: tuple[str, ...]
    meaning: str
    columns: tuple[Column, ...]
    version: str = ""
    partition: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def subject(self) -> tuple[str, ...]:
        """The key without the version: what the row is about."""
        return tuple(name for name in self.key if name != self.version)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        return next(column for column in self.columns if column.name == name)


def text(name: str, meaning: str, *, required: bool = False) -> Column:
    """A text column."""
    return Column(name, "string", meaning, required=required)


def instant(name: str, meaning: str, *, required: bool = False) -> Column:
    """A UTC instant."""
    return Column(name, "timestamp", meaning, unit="UTC", required=required)


def money(name: str, meaning: str, *, required: bool = False) -> Column:
    """An amount in the currency of the row's `currency` column."""
    return Column(name, "decimal", meaning, unit="row's currency", required=required)


def minor(name: str, meaning: str) -> Column:
    """An amount in whole minor units (cents) of the workspace's base currency."""
    return Column(name, "int", meaning, unit="minor units of the base currency", required=True)
