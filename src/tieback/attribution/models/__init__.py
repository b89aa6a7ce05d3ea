"""Attribution models: each file says how much a touch weighs, and nothing else.

Comes in: journeys. Goes out: `Model`s by name, the built-in ones of this folder and those that other packages bring as
entry points of the group "tieback.models".
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol, get_type_hints

from ibis.expr import types as ir

from tieback.errors import ConfigError, did_you_mean

ENTRY_POINTS = "tieback.models"


class Model(Protocol):
    """A frozen dataclass whose fields are its parameters and whose docstring is its card."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """How much a touch weighs beside the others of its journey: a number >= 0; at 0 it earns nothing.

        touch: the table `journeys`, of which an expression may use any column, and aggregates over the touch's own
        path (`over_path`). What it returns is normalised per conversion, so only ratios count; a journey whose touches
        all weigh 0 leaves its conversion Unattributed.
        """


@cache
def types() -> Mapping[str, type[Model]]:
    """Every model at hand by name: the files of this folder, then those of other packages."""
    files = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    found = {name: _model_in(name) for name in sorted(files)}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        found.setdefault(point.name, point.load())
    return found


def load(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Model]:
    """The models that [models] names, with their parameters.

    settings: by name, the parameters given; `type` names another model's rule, so that one rule can run twice with
    different parameters: [models.sixty_forty] type = "position_based", first = 0.6, last = 0.4.
    Raises ConfigError that names the table, and the nearest model or parameter when one is unknown.
    """
    if not settings:
        raise ConfigError("[models] names no model. Name at least one, such as [models.linear], or leave [models] out.")
    return {name: _made(name, dict(given)) for name, given in settings.items()}


def card(model: type[Model]) -> str:
    """What a model says of itself: a sentence, its parameters, then Assumes, Misleads, Formula and Source."""
    return inspect.cleandoc(model.__doc__ or "It has no card.")


def _model_in(name: str) -> type[Model]:
    module = importlib.import_module(f"{__name__}.{name}")
    classes: list[Any] = [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__
    ]
    model: type[Model]
    (model,) = [kind for kind in classes if hasattr(kind, "weight")]
    return model


def _made(name: str, given: dict[str, Any]) -> Model:
    place = f"[models.{name}]"
    kind = given.pop("type", name)
    if kind not in types():
        raise ConfigError(f"{place}: there is no model {kind!r}. {did_you_mean(str(kind), types())}")
    model = types()[kind]
    hints = get_type_hints(model)
    wanted = [field.name for field in dataclasses.fields(model)]
    for parameter in given:
        if parameter not in wanted:
            known = did_you_mean(parameter, wanted) if wanted else "It takes none."
            raise ConfigError(f"{place}: {kind} has no parameter {parameter!r}. {known}")
    try:
        return model(**{parameter: _fitting(parameter, value, hints[parameter]) for parameter, value in given.items()})
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None


def _fitting(parameter: str, value: Any, wanted: Any) -> Any:
    """`value` if it is of the `wanted` type: a number, or a table of numbers; ValueError otherwise."""
    if wanted is float:
        return _number(parameter, value)
    if wanted == Mapping[str, float]:
        if not isinstance(value, dict):
            raise ValueError(f"{parameter} is {value!r}, but a table such as {{ Email = 0.5 }} is wanted.")
        return {key: _number(f"{parameter}.{key}", item) for key, item in value.items()}
    return value


def _number(parameter: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{parameter} is {value!r}, but a number is wanted.")
    return float(value)
