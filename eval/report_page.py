"""A report as one HTML page that holds everything it needs: no script, no font, no address outside of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from proxycouncil.eval.charts import Axes, Line, bar, chart

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; width: 100% }
th, td { text-align: right; padding: 0.2rem 0.6rem; border-bottom: 1px solid #e2e8f0 }
th:first-child, td:first-child { text-align: left }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem }
svg { width: 100%; height: auto }
svg text { font: 11px system-ui, sans-serif; fill: #4a5568 }
.title { text-anchor: middle; font-weight: 600 }
.tick, .label { text-anchor: middle } .end { text-anchor: end }
.frame { fill: none; stroke: #cbd5e0 }
.bar { display: inline-block; width: 6rem; height: 0.6rem; background: #edf2f7; vertical-align: middle }
.bar span { display: block; height: 100%; background: #1b6ca8 }
"""
_RULE_COLUMNS = ("accuracy", "ece", "auroc", "brier", "p_none")


def page(found: Mapping[str, Any], *, name: str) -> str:
    """The page of one report.

    Args:
        found: what `report()` returned.
        name: of the file that was reported on.
    """
    joint = found["rules"]["joint"]
    best = joint["best_member"]
    low, high = best["ahead_interval"]
    lead = (
        f"{found['questions']} questions, {len(found['members'])} members. The joint rule is right on "
        f"{joint['accuracy']:.1%}; the best member, {best['name']}, on {best['accuracy']:.1%}: "
        f"{best['ahead']:+.1%} [{low:+.1%}, {high:+.1%}]. On {joint['none_right']:.1%} nobody is right; "
        f"the rule says {joint['p_none']:.1%}. "
        f"The members are worth {_shown(joint['n_eff_equal'])} independent votes."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>Votes: {escape(name)}</h1><p>{escape(lead)}</p>"
        f'<h2>Rules</h2>{_rules(found["rules"])}<div class="charts">{"".join(_charts(found))}</div>'
        f"<h2>Members</h2>{_members(found['per_member'])}"
        f"<h2>One or many</h2><p>{_costs(found)}</p>{_sizes(found['sizes'])}</body></html>\n"
    )


def _rules(rules: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, one in rules.items():
        low, high = one["intervals"]["accuracy"]
        rows.append([name, *(_shown(one[key]) for key in _RULE_COLUMNS), f"{low:.3f}–{high:.3f}"])
    return _table(["rule", "accuracy", "ECE", "AUROC", "Brier", "P(none)", "accuracy, 95 %"], rows)


def _charts(found: Mapping[str, Any]) -> Iterable[str]:
    bins = [(one["confidence"], one["accuracy"]) for one in found["reliability"]]
    yield chart(
        Axes("Reliability, bins of equal mass", "confidence", "right"),
        [Line("joint rule", bins, dots=True), Line("perfect", [(0, 0), (1, 1)], dashed=True)],
    )
    risks = [(one["coverage"], one["risk"]) for one in found["risk_coverage"]]
    yield chart(Axes("Risk and coverage", "share answered", "wrong among those"), [Line("joint rule", risks)])
    sizes = found["sizes"]
    last = float(sizes[-1]["size"])
    curves = [
        Line(label, [(one["size"], one[key]) for one in sizes])
        for key, label in (("joint", "joint"), ("majority", "majority"), ("best", "best member"))
    ]
    yield chart(Axes("Accuracy by council size", "members", "right", (1.0, max(2.0, last))), curves)
    votes = [(one["size"], one["n_eff"]) for one in sizes]
    most = max(one["n_eff"] for one in sizes)
    yield chart(
        Axes("Effective votes", "members", "votes", (1.0, max(2.0, last)), (0.0, max(1.0, most))),
        [Line("effective votes", votes)],
    )


def _members(rows: Sequence[Mapping[str, Any]]) -> str:
    heaviest = max((row["weight"] for row in rows), default=0.0) or 1.0
    ordered = sorted(rows, key=lambda row: (-row["weight"], row["member"]))
    return _table(
        ["member", "right", "95 %", "abstained", "with the council", "weight", ""],
        [
            [
                str(row["member"]),
                _shown(row["accuracy"]),
                "–".join(map(_shown, row["interval"])),
                *(_shown(row[key]) for key in ("abstained", "with_council", "weight")),
            ]
            for row in ordered
        ],
        last=[bar(row["weight"] / heaviest) for row in ordered],
    )


def _costs(found: Mapping[str, Any]) -> str:
    if "readings" in found["sizes"][0]:
        return "The first members in the order in which they were routed; cost is a question's mean."
    return f"Means over at most {found['draws']} councils of each size; cost is one reading a member."


def _sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    keys = ("joint", "majority", "best", "n_eff", "none_right")
    costed = [key for key in ("readings", "tokens") if key in rows[0]]
    return _table(
        ["members", "joint", "majority", "best member", "effective votes", "nobody right", *costed],
        [
            [
                f"{row['size']:.0f}",
                *(f"{row[key]:.3f}" for key in keys),
                *(f"{row[key]:.1f}" for key in costed),
            ]
            for row in rows
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, last: Sequence[str] = ()) -> str:
    """Cells are text and are escaped; `last` is a column of markup."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = []
    for place, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        body.append(f"<tr>{cells}{f'<td>{last[place]}</td>' if last else ''}</tr>")
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
