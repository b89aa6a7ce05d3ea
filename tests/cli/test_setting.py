"""tieback.toml gets another setting and stays as it was otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieback.cli.init import commented_settings
from tieback.cli.setting import rewrite, with_setting
from tieback.config import settings_from
from tieback.errors import ConfigError

URL = 'postgresql://me:${PW}@db/y?a="b"\\c'
SAME = [
    'name = "x"\n',
    'name = "x"  # no line at its end',
    "",
    'name = "x"\n\n[warehouse]\nmemory = "2GB"  # much\n\n[report]\nmodel = "linear"\n',
    '[warehouse] # here\nurl = "old"  # where it was\nmemory = "2GB"\n[report]\nmodel = "linear"\n',
    "[report]\nmodel = \"linear\"\n[ warehouse ]\n  url='old' # where\n",
    "[warehouse]",
    '[warehouse]\r\nmemory = "2GB"\r\n\r\n[report]\r\nmodel = "linear"\r\n',
    commented_settings("x"),
]


@pytest.mark.parametrize("text", SAME)
def test_the_rest_of_the_file_stays(text: str, tmp_path: Path) -> None:
    """Every line that was there is there still, but for the old URL; and the new one is what is read."""
    file = tmp_path / "tieback.toml"
    file.write_bytes(text.encode())
    rewrite(file, "warehouse", "url", URL)
    after = file.read_bytes().decode()
    assert settings_from(after).warehouse.url == URL
    for line in text.splitlines(keepends=True):
        if "old" in line:
            before, _, behind = line.replace("'", '"').partition('"old"')
            assert before in after
            assert behind in after
        else:
            assert line in after
    assert len(after.splitlines()) <= len(text.splitlines()) + 3
    rewrite(file, "warehouse", "url", "")
    assert settings_from(file.read_text()) == settings_from(text.replace('"old"', '""').replace("'old'", "''"))
    assert [each.name for each in tmp_path.iterdir()] == ["tieback.toml"]


@pytest.mark.parametrize("text", ['warehouse = { memory = "2GB" }\n', 'warehouse.memory = "2GB"\n'])
def test_a_form_that_cannot_be_rewritten_is_told(text: str, tmp_path: Path) -> None:
    """Before anything is done."""
    file = tmp_path / "tieback.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="section of its own"):
        with_setting(file, "warehouse", "url", URL)
    assert file.read_text() == text


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    """A file shared by a link is written where it lies, for those who could read it."""
    real = tmp_path / "real.toml"
    real.write_text('name = "x"\n')
    real.chmod(0o600)
    link = tmp_path / "tieback.toml"
    link.symlink_to(real)
    rewrite(link, "warehouse", "url", URL)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert settings_from(real.read_text()).warehouse.url == URL


@pytest.mark.parametrize(
    "text",
    [
        "",
        'name = "x"\n[exclude]\nbots = true\n',
        '[exclude]\nbots_allowed = ["seo: *", "a[b]"]  # ours\nbots = true\n',
        '[exclude]\nbots_allowed = [\n  "seo: *",\n  \'b\',\n]\nbots = true\n[report]\nmodel = "linear"\n',
        '[exclude]\nbots_allowed = []\n[[channels]]\nchannel = "Podcast"\nsource = "podcast"\n',
    ],
)
def test_a_list_is_set_as_a_text_is(text: str, tmp_path: Path) -> None:
    """On one line or several, and brackets in its texts end nothing."""
    file = tmp_path / "tieback.toml"
    file.write_text(text)
    rewrite(file, "exclude", "bots_allowed", ["monitoring: *", 'a "b"', "c]"])
    assert settings_from(file.read_text()).exclude.bots_allowed == ("monitoring: *", 'a "b"', "c]")
    assert "# ours" in file.read_text() or "# ours" not in text


def test_a_list_with_remarks_inside_is_left_to_its_owner(tmp_path: Path) -> None:
    """They would be lost."""
    file = tmp_path / "tieback.toml"
    text = '[exclude]\nbots_allowed = [\n  "a",  # why\n]\n'
    file.write_text(text)
    with pytest.raises(ConfigError, match="cannot be set for you"):
        rewrite(file, "exclude", "bots_allowed", ["b"])
    assert file.read_text() == text
