"""The picture of docs/explanation/scale.md: `python -m benchmarks.curves FOUND.json PICTURE.svg`.

FOUND.json is what `python -m benchmarks scale` leaves in build/bench: by touchpoints, the seconds of each stage.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 440, 70, 60, 20, 150
_COLOURS = ("#1b4965", "#c1121f", "#2a9d8f", "#e09f3e", "#6a4c93", "#7f8c8d", "#386641", "#bc6c25", "#0077b6")


def drawn(found: dict[int, dict[str, float]]) -> str:
    """Seconds against touchpoints, both by tens, a line for each stage and one for all together."""
    sizes = sorted(found)
    lines = {"all": [sum(found[size].values()) for size in sizes]}
    lines |= {stage: [found[size][stage] for size in sizes] for stage in found[sizes[0]]}
    most, least = max(map(max, lines.values())), 0.3
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Seconds of each stage against touchpoints" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]

    def x(size: float) -> float:
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(seconds: float) -> float:
        share = math.log(max(seconds, least) / least) / math.log(most / least)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    for size in sizes:
        parts.append(_text(x(size), HEIGHT - BOTTOM + 22, f"{size // 1_000_000} M", "middle"))
    for seconds in (1, 10, 100, 1000):
        if seconds <= most:
            parts.append(f'<path d="M{LEFT} {y(seconds):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            parts.append(_text(LEFT - 8, y(seconds) + 4, f"{seconds:,} s", "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "touchpoints", "middle"))
    free = math.inf
    order = sorted(enumerate(lines.items()), key=lambda line: line[1][1][-1])
    for number, (stage, took) in order:
        colour, points = _COLOURS[number % len(_COLOURS)], zip(sizes, took, strict=True)
        path = "L".join(f"{x(size):.1f} {y(seconds):.1f}" for size, seconds in points)
        width = 3 if stage == "all" else 1.5
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        free = min(free - 16, y(took[-1]) + 4)  # names stand apart, though lines meet
        parts.append(_text(WIDTH - RIGHT + 10, free, f"{stage} {took[-1]:,.{took[-1] < 10:d}f} s", "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


if __name__ == "__main__":
    held = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(drawn({int(size): stages for size, stages in held.items()}))
