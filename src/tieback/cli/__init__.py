"""The command line: one file per command, loaded only when it is called.

Comes in: arguments. Goes out: data on stdout, talk on stderr, an exit code from `tieback.errors`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tieback.errors import TiebackError, WorkspaceError, did_you_mean

COMMANDS = {
    "init": "Make a workspace: a folder with a commented tieback.toml",
    "demo": "Build a world whose truth is known, and take it through the whole loop",
    "import": "Take files in",
    "source": "What may send to the collector, and its write keys",
    "link": "Make a signed link that counts the click and leads on",
    "serve": "Open the front door: collect events by HTTP, and make facts of them",
    "load": "Take in what the collector has gathered, and bring the run up to date",
    "quarantine": "See, export or retry the rows that could not be taken in",
    "run": "Work out people, touches, journeys, credit and performance",
    "runs": "The finished runs that can be read",
    "diff": "What changed from one run to another, and which facts caused it",
    "report": "What each channel cost and earned, by model",
    "explain": "Why each touch of a deal got its credit, to the cent",
    "reconcile": "Show that credit adds up to revenue",
    "models": "The attribution models at hand",
    "channels": "Which channel rule decides for a URL, and why",
    "bots": "Who was taken for a bot and why, and how to let it count",
    "schema": "The tables, their columns and their meaning",
    "sql": "The statement that builds a table, in the dialect of your warehouse",
    "move": "Take the workspace to another engine: the same numbers on both sides, or it stays where it is",
    "doctor": "What is set up, fresh, matched and missing, each with its remedy",
    "privacy": "What is held of a person: show it, or erase it so that no trace stays",
    "vault": "Wipe the raw e-mail addresses and phone numbers",
}

EXIT_CODES = """\b
Exit codes: 0 done · 1 failed · 2 wrong usage · 3 configuration ·
4 input · 5 workspace missing, locked or full · 6 a check did not hold ·
130 interrupted · 141 the reader of the output went away"""


_READER_GONE = 141  # as a shell counts the programs that SIGPIPE ends


class _ReaderGoneError(Exception):
    """Whoever read the output went away; click itself would end with 1 on a BrokenPipeError."""


@contextmanager
def _noticing_readers() -> Iterator[None]:
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise  # not what rich makes of it
        raise _ReaderGoneError from error


class _Lazy(click.Group):
    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _noticing_readers():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _noticing_readers():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(
            f"tieback.cli.{name}_command" if name in ("import",) else f"tieback.cli.{name}"
        )
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no command {args[0]!r}. {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The workspace's folder; the current one unless told.",
)
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.version_option(package_name="tieback", prog_name="tieback")
@click.pass_context
def group(ctx: click.Context, workspace: Path, debug: bool) -> None:
    """Tie every dollar of revenue back to the marketing that earned it, and explain why."""
    ctx.obj = workspace


def main() -> None:
    """Run the command line and end with its exit code."""
    debug = "--debug" in sys.argv
    _need_streams()
    try:
        group.main(prog_name="tieback", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error, click.Abort) and error.__cause__ is None:  # of a question
            _say("\nThe question was not answered, so nothing was done. Give --yes to go on without being asked.")
            sys.exit(130)
        _say("Interrupted. Nothing that was confirmed is lost; run the same command again to go on.")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (BrokenPipeError, _ReaderGoneError):
        _let_go_of_stdout()
        sys.exit(_READER_GONE)
    except TiebackError as error:
        if debug:
            raise
        _say(f"Error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if debug:
            raise
        _let_go_of_stdout()
        place = f" {error.filename}" if error.filename else " the output"
        _say(
            f"Error: {error.strerror} while reading or writing{place}. "
            "Free some space or mend its permissions, and try again."
        )
        sys.exit(WorkspaceError.exit_code)


def _need_streams() -> None:
    """Refuse a stdout that is closed: the next file opened, even the warehouse, would take its place.

    Where stderr is closed, nobody wants to be talked to.
    """
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stdout is None:
        _say("Error: stdout is closed, so there is nowhere to print to. Send it to a file, or to /dev/null.")
        sys.exit(WorkspaceError.exit_code)


def _let_go_of_stdout() -> None:
    """What is still to be written goes nowhere, so that ending does not fail too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    print(text, file=sys.stderr)
