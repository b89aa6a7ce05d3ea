"""The page docs/reference/metrics.md, made from the metrics themselves."""

from __future__ import annotations

import inspect

from tieback.metrics.cohorts import AGES
from tieback.metrics.dimensions import DIMENSIONS
from tieback.metrics.measures import METRICS, Metric

_HEAD = """\
# Metrics and dimensions

Every number of `tieback report` is worked out by one function from sums of the table `performance`.
Money is in the workspace's base currency. Where a divisor is zero the metric is undefined: a dash in a table,
`null` in JSON. Which day a number belongs to is the [date basis](../explanation/date-basis.md); a ratio has one only.
This page is made from the code.

## Metrics
"""


def page() -> str:
    """The whole page, as Markdown."""
    dimensions = "\n".join(f"| `{dimension.name}` | {dimension.meaning} |" for dimension in DIMENSIONS.values())
    return "\n".join(
        [
            _HEAD,
            *(_entry(metric) for metric in METRICS.values()),
            _COHORTS.format(ages=", ".join(map(str, AGES[:-1])), last=AGES[-1]),
            _DIMENSIONS + dimensions + "\n",
        ]
    )


def _entry(metric: Metric) -> str:
    meaning, _, rest = inspect.cleandoc(metric.of.__doc__ or "").partition("\n\n")
    formula, _, misleads = rest.partition("Misleads: ")
    lines = [
        f"### {metric.name}",
        "",
        " ".join(meaning.split()),
        "",
        f"- Formula: {' '.join(formula.removeprefix('Formula: ').split())}",
        f"- Unit: {_UNITS[metric.unit]}",
        f"- Misleads: {' '.join(misleads.split())}",
        "",
    ]
    return "\n".join(lines)


_UNITS = {
    "money": "base currency",
    "count": "number (by share of credit, so not always whole)",
    "ratio": "ratio (0.25 is 25 %)",
    "days": "days",
}

_DIMENSIONS = """\
## Dimensions

Any mix of them, as in `--by channel,month`.

| name | meaning |
|---|---|
"""

_COHORTS = """\
## Revenue per lead by age of cohort

`tieback report --cohorts` groups leads by the month in which they came. For each cohort it shows the leads and what one
of them has brought in by the age of {ages} and {last} days, and to date.

- Formula: revenue of the cohort's leads up to that age ÷ leads of the cohort
- Unit: base currency
- Misleads: leads and revenue are each credited to their own touches, so a channel that starts leads and another that
  closes them share out differently; a cell stays empty until the youngest lead of the cohort has reached that age.
"""
