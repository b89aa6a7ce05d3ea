"""Models are found, checked and named by the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from ibis.expr import types as ir

from tests.attribution.scene import credit, minor, sale, touch
from tieback.attribution import models
from tieback.attribution.models.position_based import PositionBased
from tieback.errors import ConfigError


def test_one_rule_can_run_twice_under_two_names() -> None:
    """`type` names the rule, the table's name the model."""
    loaded = models.load({"sixty_forty": {"type": "position_based", "first": 0.6, "last": 0.4}, "position_based": {}})
    assert loaded == {"sixty_forty": PositionBased(first=0.6, last=0.4), "position_based": PositionBased()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"liner": {}}, "[models.liner]: there is no model 'liner'. Did you mean 'linear'?"),
        ({"mine": {"type": 3}}, "[models.mine]: there is no model 3."),
        (
            {"time_decay": {"half_live": 7}},
            "[models.time_decay]: time_decay has no parameter 'half_live'. Did you mean 'half_life'?",
        ),
        ({"linear": {"first": 0.5}}, "[models.linear]: linear has no parameter 'first'. It takes none."),
        (
            {"time_decay": {"half_life": 0}},
            "[models.time_decay]: half_life is 0 days, but it must be above 0 and finite.",
        ),
        ({"time_decay": {"half_life": "7"}}, "[models.time_decay]: half_life is '7', but a number is wanted."),
        ({"time_decay": {"half_life": True}}, "[models.time_decay]: half_life is True, but a number is wanted."),
        (
            {"position_based": {"first": 0.7, "last": 0.4}},
            "[models.position_based]: first + last is 1.1, but the shares of position_based may not exceed 1 together.",
        ),
        ({"u_shaped": {"lead": -0.1}}, "[models.u_shaped]: lead is -0.1, but a share lies between 0 and 1."),
        ({"w_shaped": {"lead": float("nan")}}, "[models.w_shaped]: lead is nan, but a share lies between 0 and 1."),
        (
            {"j_shaped": {"first": 0, "last": 0}},
            "[models.j_shaped]: first and last are 0, so that the only touch of a journey would earn nothing.",
        ),
        ({"custom": {"kinds": 2}}, "[models.custom]: kinds is 2, but a table such as { Email = 0.5 } is wanted."),
        (
            {"custom": {"channels": {"Direct": -1}}},
            "[models.custom]: channels.Direct is -1, but a weight lies between 0 and 1,000,000.",
        ),
        (
            {"custom": {"first": 0, "middle": 0, "last": 0}},
            "[models.custom]: first, middle, last, lead and opportunity are all 0, so that nothing would earn credit.",
        ),
        ({}, "[models] names no model."),
    ],
)
def test_a_slip_in_the_configuration_is_one_clear_sentence(settings: dict[str, Any], message: str) -> None:
    """It says where, what, and what would be right."""
    with pytest.raises(ConfigError) as raised:
        models.load(settings)
    assert str(raised.value).startswith(message)


@dataclass(frozen=True)
class _Even:
    """Every second touch takes the same."""

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        return (touch.position % 2 == 0).ifelse(1, 0)


def test_another_package_brings_a_model_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class named under the group "tieback.models" is a model like any other."""
    point = EntryPoint("even", f"{__name__}:_Even", models.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: _Even)
    monkeypatch.setattr(models, "entry_points", lambda group: [point] if group == "tieback.models" else [])
    models.types.cache_clear()
    try:
        touches = [touch(name, f"2026-01-0{n}T00:00:00") for n, name in enumerate("abcd", start=1)]
        found = credit(touches, [sale("customer:1", "2026-02-01T00:00:00")], "even")
        assert minor(found, "customer:1") == {"b": 50_00, "d": 50_00}
    finally:
        models.types.cache_clear()


def test_custom_weights_work_by_position_stage_channel_and_kind() -> None:
    """first 1, last 1, lead 2; Email times 3, forms times 2: a 1, b (lead, Email) (0 + 2) × 3, c (form) 1 × 2."""
    touches = [
        touch("a", "2026-01-01T00:00:00", "Referral"),
        touch("b", "2026-01-02T00:00:00", "Email"),
        touch("c", "2026-01-03T00:00:00", "Referral", kind="form"),
    ]
    sold = sale("customer:1", "2026-02-01T00:00:00", 90_00, lead_at="2026-01-02T12:00:00")
    weights = {"middle": 0, "lead": 2, "channels": {"email": 3}, "kinds": {"form": 2}}
    assert minor(credit(touches, [sold], "custom", **weights), "customer:1") == {"a": 10_00, "b": 60_00, "c": 20_00}
