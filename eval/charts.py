"""Small charts as SVG text, for a page that needs nothing else. Knows numbers; knows not what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]

_WIDTH, _HEIGHT, _MARGIN = 420, 300, 48
_COLOURS = ("#1b6ca8", "#c05621", "#2f855a", "#805ad5", "#718096")


@dataclass(frozen=True, slots=True)
class Line:
    """One curve or cloud with its name."""

    name: str
    points: Sequence[Point]
    dots: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """What is drawn along which axis, and from where to where."""

    title: str
    x: str
    y: str
    x_range: Point = (0.0, 1.0)
    y_range: Point = (0.0, 1.0)


def chart(axes: Axes, lines: Sequence[Line]) -> str:
    """An SVG element with axes, ticks, curves and a key."""
    drawn = [_curve(line, axes, _COLOURS[place % len(_COLOURS)]) for place, line in enumerate(lines)]
    key = [_entry(line.name, place) for place, line in enumerate(lines)]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(axes.title)}">'
        f'<text x="{_WIDTH / 2}" y="16" class="title">{escape(axes.title)}</text>'
        f"{_frame(axes)}{''.join(drawn)}{''.join(key)}</svg>"
    )


def bar(share: float) -> str:
    """A bar in a table's cell, from 0 to 1."""
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<span class="bar"><span style="width:{width:.1f}%"></span></span>'


def _frame(axes: Axes) -> str:
    left, right = _MARGIN, _WIDTH - 12
    top, bottom = 26, _HEIGHT - _MARGIN
    parts = [f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" class="frame"/>']
    for step in range(5):
        x = axes.x_range[0] + step / 4 * (axes.x_range[1] - axes.x_range[0])
        y = axes.y_range[0] + step / 4 * (axes.y_range[1] - axes.y_range[0])
        at_x, at_y = _place((x, y), axes)
        parts.append(f'<text x="{at_x:.1f}" y="{bottom + 16}" class="tick">{x:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{at_y + 4:.1f}" class="tick end">{y:.2g}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{_HEIGHT - 10}" class="label">{escape(axes.x)}</text>')
    middle = (top + bottom) / 2
    parts.append(
        f'<text x="12" y="{middle}" class="label" transform="rotate(-90 12 {middle})">{escape(axes.y)}</text>'
    )
    return "".join(parts)


def _curve(line: Line, axes: Axes, colour: str) -> str:
    places = [_place(point, axes) for point in line.points]
    if line.dots:
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="4 4"' if line.dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _entry(name: str, place: int) -> str:
    y = _HEIGHT - _MARGIN - 10 - 15 * place
    colour = _COLOURS[place % len(_COLOURS)]
    return (
        f'<rect x="{_WIDTH - 130}" y="{y - 8}" width="10" height="10" fill="{colour}"/>'
        f'<text x="{_WIDTH - 115}" y="{y + 1}" class="key">{escape(name)}</text>'
    )


def _place(point: Point, axes: Axes) -> Point:
    (x_low, x_high), (y_low, y_high) = axes.x_range, axes.y_range
    across = (point[0] - x_low) / ((x_high - x_low) or 1.0)
    up = (point[1] - y_low) / ((y_high - y_low) or 1.0)
    return (
        _MARGIN + across * (_WIDTH - 12 - _MARGIN),
        _HEIGHT - _MARGIN - up * (_HEIGHT - _MARGIN - 26),
    )
