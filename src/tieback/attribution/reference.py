"""The page docs/reference/models.md, made from the models themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

from tieback.attribution.models import Model, card, types

_HEAD = """\
# Attribution models

A model says how much each touch of a journey weighs. tieback does the rest alike for all: [windows, shares and
cents](../explanation/credit.md). `tieback models` lists them with the parameters your workspace gives them, and
`tieback models NAME` shows a card. This page is made from the code.

`[models.NAME]` in `tieback.toml` runs a model; `type` runs one rule under another name, with parameters of its own:

```toml
[models.linear]

[models.sixty_forty]
type = "position_based"
first = 0.6
last = 0.4
```
"""
_PARTS = ("Assumes", "Misleads", "Formula", "Source")


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *(_entry(name, kind) for name, kind in types().items())])


def _entry(name: str, kind: type[Model]) -> str:
    text = card(kind)
    for part in _PARTS:
        text = text.replace(f"\n{part}: ", f"\n\n**{part}:** ", 1).replace("\n\n\n", "\n\n")
    parameters = ", ".join(f"`{field.name} = {_default(field)}`" for field in dataclasses.fields(kind))  # type: ignore[arg-type]  # a Model is a dataclass
    return f"## {name}\n\n{text}\n\n**Parameters:** {parameters or 'none'}\n"


def _default(field: dataclasses.Field[Any]) -> str:
    return "{}" if field.default is dataclasses.MISSING else f"{field.default:g}"
