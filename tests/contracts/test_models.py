"""What every attribution model owes, whichever package it comes from."""

from __future__ import annotations

import dataclasses

import pytest

from tests.attribution.scene import AT, DEFAULT, MODELS, Earned, credit, sale, touch
from tieback import attribution
from tieback.attribution import models
from tieback.errors import ConfigError
from tieback.schema.ddl import DIALECTS
from tieback.store.compiler import compiled

NAMES = sorted(models.types())
CHANNELS = ("Paid Search", "Direct", "Email", "Direct", "Paid Social", "Unassigned", "Direct")
TOUCHES = [
    touch(f"{person}{n}", f"2026-01-{n + 1:02}T00:00:00", channel, person_id=person, kind="form" if n == 2 else "visit")
    for person, length in (("ada", 7), ("bob", 1), ("cyd", 2), ("dan", 3))
    for n, channel in enumerate(CHANNELS[:length])
]
SALES = [
    sale(
        "customer:1", "2026-02-01T00:00:00", 100_01, lead_at="2026-01-03T12:00:00", opportunity_at="2026-01-05T12:00:00"
    ),
    sale("customer:2", "2026-02-01T00:00:00", 7, person_id="bob"),
    sale("customer:3", "2026-02-01T00:00:00", 0, person_id="cyd", lead_at="2026-01-01T12:00:00"),
    sale("refund:4", "2026-02-02T00:00:00", -33_33, journey_id="customer:1"),
    sale("customer:5", "2026-02-01T00:00:00", 99_99, person_id="dan", opportunity_at="2025-01-01T00:00:00"),
    sale("customer:6", "2026-02-01T00:00:00", 50, person_id="eve"),  # nobody ever met eve
]


def found(name: str) -> Earned:
    """What the model called `name` makes of the journeys above."""
    return credit(TOUCHES, SALES, name)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_all_and_no_more(name: str) -> None:
    """Per conversion shares sum to 1 and are above 0, values sum to the value to the minor unit, with its sign."""
    earned = found(name)
    assert set(earned) == {each["conversion_id"] for each in SALES}
    for each in SALES:
        shares, values = zip(*earned[each["conversion_id"]].values(), strict=True)
        assert abs(sum(shares) - 1) <= 1e-12
        assert all(0 < share <= 1 for share in shares)
        assert sum(values) == each["value_minor"]
        assert all(value * each["value_minor"] >= 0 for value in values)


@pytest.mark.parametrize("name", NAMES)
def test_the_only_touch_takes_everything(name: str) -> None:
    """Or, where the model thinks nothing of it, the conversion is Unattributed; there is no part share."""
    assert list(found(name)["customer:2"].values()) == [(1.0, 7)]
    assert found(name)["customer:6"] == {None: (1.0, 50)}


@pytest.mark.parametrize("name", NAMES)
def test_a_refund_follows_its_sale(name: str) -> None:
    """A refund has the very shares of the sale it gives back."""
    earned = found(name)
    sold = {touch_id: share for touch_id, (share, _) in earned["customer:1"].items()}
    assert {touch_id: share for touch_id, (share, _) in earned["refund:4"].items()} == sold


@pytest.mark.parametrize("name", NAMES)
def test_it_weighs_the_same_on_every_engine(name: str) -> None:
    """Its weight compiles for every dialect."""
    model = models.load({name: {}})[name]
    for dialect in DIALECTS:
        assert compiled(attribution.credits(AT.journeys, AT.conversions, name, model), dialect)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_frozen_value_with_a_card(name: str) -> None:
    """Same parameters, same model; every parameter has a default, and the docstring is a whole card."""
    model = models.types()[name]
    assert dataclasses.is_dataclass(model)
    assert model() == model()
    parameter = "first"  # which the model may lack; it is frozen all the same
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(model(), parameter, 1.0)
    card = model.__doc__ or ""
    assert [part for part in ("Assumes: ", "Misleads: ", "Formula: ", "Source: ") if part not in card] == []
    assert [field.name for field in dataclasses.fields(model) if field.name not in card] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_named(name: str) -> None:
    """A slip in the configuration is told, with the table it is in."""
    with pytest.raises(ConfigError, match=rf"\[models.{name}\]: {name} has no parameter 'halflife'"):
        models.load({name: {"halflife": 1}})


def test_every_model_of_the_default_settings_is_at_hand() -> None:
    """And one more: custom, which needs weights of yours."""
    assert set(DEFAULT.models) | {"custom"} == set(MODELS) == set(NAMES)
