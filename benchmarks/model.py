"""A cost model: what each stage takes, fitted to the smaller sizes and held against the largest, which it has not seen."""

from __future__ import annotations

from collections.abc import Mapping

_HELD_BACK = 1  # how many of the largest sizes the fit does not see


def modelled(seconds: Mapping[int, Mapping[str, float]]) -> list[str]:
    """What the model says, in lines. seconds: of each stage, by touchpoints.

    Each stage is taken to cost so much to begin with and so much for each touchpoint: least squares of the relative
    error, so that the small sizes count as much as the large ones.
    """
    sizes = sorted(seconds)
    seen = {size: seconds[size] for size in sizes[:-_HELD_BACK]}
    unseen = {size: seconds[size] for size in sizes[-_HELD_BACK:]}
    fits = {stage: _fit({size: took[stage] for size, took in seen.items()}) for stage in next(iter(seen.values()))}
    lines = ["  the model: seconds to begin with, and microseconds a touchpoint"]
    lines += [f"    {stage:<12} {start:6.2f} s  {each * 1e6:7.3f} us" for stage, (start, each) in fits.items()]
    for size, took in unseen.items():
        said, was = sum(start + each * size for start, each in fits.values()), sum(took.values())
        lines.append(
            f"  held back: {size:,} touchpoints, {said:.0f} s by the model, {was:.0f} s measured: {said / was - 1:+.0%}"
        )
    return lines


def stages(output: str) -> dict[str, float]:
    """Seconds by stage, publishing among them, from what `benchmarks.stages` printed."""
    lines = [line.split() for line in output.strip().splitlines()]
    return {words[0]: float(words[words.index("s") - 1]) for words in lines if words[0] != "whole"}


def _fit(took: Mapping[int, float]) -> tuple[float, float]:
    """Seconds to begin with, and seconds a touchpoint; neither below nothing."""
    weights = {size: 1 / max(seconds, 0.01) ** 2 for size, seconds in took.items()}
    whole = sum(weights.values())
    mean_size = sum(weight * size for size, weight in weights.items()) / whole
    mean_took = sum(weight * took[size] for size, weight in weights.items()) / whole
    spread = sum(weight * (size - mean_size) ** 2 for size, weight in weights.items())
    each = sum(weight * (size - mean_size) * (took[size] - mean_took) for size, weight in weights.items()) / spread
    start = mean_took - each * mean_size
    if start >= 0:
        return start, max(each, 0.0)
    return 0.0, sum(weight * size * took[size] for size, weight in weights.items()) / sum(
        weight * size**2 for size, weight in weights.items()
    )
