"""`tieback demo`: a company whose truth is known, recovered from its files."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from tieback.cli import group
from tieback.cli.demo import MARK
from tieback.cli.demo_truth import held_against
from tieback.config import open_workspace
from tieback.errors import CheckError, WorkspaceError
from tieback.simulate import Totals, World


@dataclass(frozen=True)
class Demo:
    """A finished demo: its folder, what it printed, and its warehouse."""

    folder: Path
    result: Result

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT over the warehouse; `{truth}` stands for the folder of the truth."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as door:
            return door.sql(sql.format(truth=self.folder / "exports" / "truth")).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo of 900 people, in a folder in which an earlier demo was cut off."""
    folder = tmp_path_factory.mktemp("demo") / "tieback-demo"
    (folder / "exports").mkdir(parents=True)
    (folder / "tieback.toml").write_text(f"{MARK}\ncurrency = 'EUR'\n")
    (folder / "exports" / "leftover.csv").write_text("of an earlier demo\n")
    (folder / "warehouse.duckdb").write_text("half a warehouse")
    result = CliRunner().invoke(group, ["demo", str(folder), "--people", "900"], catch_exceptions=False)
    return Demo(folder, result)


def test_it_ends_well_and_shows_everything(demo: Demo) -> None:
    """It prints report, reconciliation, one explained deal and the truth, and says what to try next."""
    assert demo.result.exit_code == 0
    for part in ("linear model", "Revenue and credit", "What happened", "The truth, and what was", "truly caused"):
        assert part in demo.result.stdout, part
    assert f"tieback -w {demo.folder} report --by campaign" in demo.result.stderr


def test_each_won_deal_has_exactly_its_touches(demo: Demo) -> None:
    """For each won deal, the touches recovered are those that truly led to it and can be seen, no more, no less."""
    truth = demo.rows(
        "SELECT conversion_id, list(touch_id ORDER BY touch_id) FROM '{truth}/journeys.parquet' "
        "WHERE is_linked AND conversion_id LIKE 'customer:%' GROUP BY 1 ORDER BY 1"
    )
    recovered = demo.rows(
        "SELECT conversion_id, list(touch_id ORDER BY touch_id) FROM journeys "
        "WHERE conversion_id LIKE 'customer:%' GROUP BY 1 ORDER BY 1"
    )
    assert len(truth) > 5
    assert recovered == truth


def test_each_touch_has_its_true_channel(demo: Demo) -> None:
    """Channel rules see through tags, click ids and referrers to the channel that truly brought the visit."""
    wrong = demo.rows(
        "SELECT DISTINCT t.channel, j.channel FROM '{truth}/journeys.parquet' j JOIN touchpoints t USING (touch_id) "
        "WHERE t.channel <> j.channel"
    )
    assert wrong == []


def test_people_are_who_they_are(demo: Demo) -> None:
    """Devices that the files tie to somebody belong to that one person; those that nothing ties stay alone."""
    mixed = demo.rows(
        "SELECT p.person_id FROM '{truth}/identifiers.parquet' i JOIN people p USING (id_kind, id_value) "
        "WHERE i.is_linked GROUP BY 1 HAVING count(DISTINCT i.person) > 1"
    )
    split = demo.rows(
        "SELECT i.person FROM '{truth}/identifiers.parquet' i JOIN people p USING (id_kind, id_value) "
        "WHERE i.is_linked GROUP BY 1 HAVING count(DISTINCT p.person_id) > 1"
    )
    joined = demo.rows(
        "SELECT i.id_value FROM '{truth}/identifiers.parquet' i JOIN people p USING (id_kind, id_value) "
        "WHERE NOT i.is_linked AND p.person_id <> 'anonymous:' || i.id_value"
    )
    assert (mixed, split, joined) == ([], [], [])


def test_each_conversion_has_its_true_value(demo: Demo) -> None:
    """Every lead, sale, renewal, expansion and refund is there, to the cent, by the rate of its day."""
    kinds = "('lead', 'customer', 'subscription', 'renewal', 'expansion', 'refund')"
    recovered = f"SELECT conversion_id, value_minor FROM conversions WHERE excluded_reason IS NULL AND kind IN {kinds}"
    truth = "SELECT conversion_id, value_minor FROM '{truth}/conversions.parquet'"
    assert demo.rows(f"({recovered}) EXCEPT ({truth})") == []
    assert demo.rows(f"({truth}) EXCEPT ({recovered})") == []


def test_a_difference_from_the_truth_is_told(demo: Demo) -> None:
    """Were a cent or a touch recovered wrongly, the demo would end with code 6."""
    exports = demo.folder / "exports"
    summary = json.loads((exports / "truth" / "summary.json").read_text())
    true = Totals(**{field.name: summary[field.name] for field in fields(Totals)})
    world = World(exports, (), 900, 7, true, (), summary["refused_rows"])
    workspace = open_workspace(demo.folder)
    held_against(workspace, world)
    with pytest.raises(CheckError, match="not what is true"):
        held_against(workspace, replace(world, totals=replace(true, revenue_minor=true.revenue_minor + 1)))


def test_a_folder_of_yours_is_left_alone(tmp_path: Path) -> None:
    """A folder that holds anything but a demo is refused and not touched."""
    (tmp_path / "tieback.toml").write_text('name = "ours"\n')
    with pytest.raises(WorkspaceError, match="not a demo"):
        CliRunner().invoke(group, ["demo", str(tmp_path)], catch_exceptions=False, standalone_mode=False)
    assert [path.name for path in tmp_path.iterdir()] == ["tieback.toml"]
    assert (tmp_path / "tieback.toml").read_text() == 'name = "ours"\n'


def test_a_demo_is_made_anew(demo: Demo) -> None:
    """On the folder of an earlier demo it starts over: nothing of that one stays."""
    assert demo.result.exit_code == 0
    assert not (demo.folder / "exports" / "leftover.csv").exists()
    assert open_workspace(demo.folder).settings.currency == "USD"
