"""What the runs of `depthub paper` will take, beside what the published code would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from depthub.cli import suite_plan
from depthub.cli.output import number_table, show_table
from depthub.cli.plural import duration
from depthub.paper.costs import costs, with_hours
from depthub.suites.plan import Plan
from depthub.values.text import plain


def main(planned: Plan, config: Namespace, slots: int, of_exhibits: Mapping[str, int], absent: Sequence[str]) -> int:
    """Show the plan.

    Args:
        planned: of all runs of the exhibits.
        config: the command line.
        slots: packs that are done at a time, at least 1.
        of_exhibits: numbers of runs by exhibit, which may share them.
        absent: data sets that are counted from their cards.
    """
    counted = costs([planned.runs[place] for place in planned.to_do])
    rate = 1e12 * config.tflops or planned.forecast.rate
    facts = with_hours(counted, rate) if counted and rate else counted
    if config.json:
        plan = suite_plan.summary(planned, slots, config.watts)
        print(json.dumps({**plan, "exhibits": dict(of_exhibits), "absent": list(absent), "costs": facts}, indent=1))
        return 0
    suite_plan.show(planned, slots, config.watts)
    shares = ", ".join(f"{name} {runs:,}" for name, runs in of_exhibits.items() if runs)
    print(plain(f"runs of each: {shares}; {sum(of_exhibits.values()) - len(planned.runs):,} are shared"))
    if absent:
        print(plain(f"not on this machine, counted from their cards: {', '.join(dict.fromkeys(absent))}"))
    if facts and rate:
        _show_costs(facts, rate, stated=bool(config.tflops))
    return 0


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _show_costs(facts: dict[str, Any], rate: float, *, stated: bool) -> None:
    table = number_table("", numbers=("images encoded", "operations [10^15]", "hours"), title="one process, counted operations alone")
    for name, key, images in (
        ("published code, run by run", "published", None),
        ("depthub, run by run", "alone", facts["images_alone"]),
        ("depthub, image features shared", "shared", facts["images_shared"]),
    ):
        encoded = "–" if images is None else f"{images:,}"
        table.add_row(name, encoded, _rounded(facts[key] / 1e15), duration(3600 * facts["hours"][key]))
    source = "as --tflops states" if stated else "measured on this machine; --tflops states another"
    note = (
        f"At {rate / 1e12:.2f} x 10^12 operations a second, {source}. Hours by counted operations are the least that such a device needs: "
        "small steps wait for launches on a GPU, reading images and tests in their processes come on top."
    )
    show_table(table, [note])
