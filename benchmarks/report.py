"""From pytest-benchmark's record to results.json, and from that to the table of README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import NOMINAL

FOLDER = Path(__file__).parent
RESULTS, README = FOLDER / "results.json", FOLDER / "README.md"
BEGIN, END = "<!-- figures: written by python -m benchmarks -->\n", "<!-- end of figures -->"
COLUMNS = {  # heading: where the figure stands in the record
    "plain [ms]": "plain_ms",
    "ours [ms]": "ours_ms",
    "ours, oneDNN [ms]": "onednn_ms",
    "ours, graphs [ms]": "graphs_ms",
    "plain / ours": "ours_ratio_normalised",
    "plain / oneDNN": "onednn_ratio_normalised",
    "plain / graphs": "graphs_ratio",
    "of the floor": "efficiency",
    "sgemm [GFLOP/s]": "sgemm_gflops",
}
MEMORY = {"plain [MB]": "plain_mb", "ours [MB]": "ours_mb", "plain / ours": "memory_ratio"}


def summary(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Machine and cases; the machine's own name and paths stay out."""
    machine = raw["machine_info"]
    return {
        "machine": {
            "cpu": machine["cpu"].get("brand_raw", "unknown CPU"),
            "logical_cores": machine["cpu"]["count"],
            "threads": 1,
            "blas": machine["blas"],
            "linear": machine["linear"],
            "python": machine["python_version"],
            **machine["versions"],
        },
        "date": raw["datetime"][:10],
        "nominal_gflops": NOMINAL,
        "cases": [{"rounds": b["stats"]["rounds"], **{k: _short(v) for k, v in b["extra_info"].items()}} for b in raw["benchmarks"]],
    }


def table(results: Mapping[str, Any]) -> str:
    """Machine and one row per case, in Markdown: times, and below them memory."""
    machine = dict(results["machine"])
    cpu, cores, threads, blas, linear = (machine.pop(key) for key in ("cpu", "logical_cores", "threads", "blas", "linear"))
    versions = ", ".join(f"{name} {number}" for name, number in machine.items())
    times, memory = ([case for case in results["cases"] if (MEMORY["ours [MB]"] in case) == counted] for counted in (False, True))
    where = f"{results['date']}: {cpu}, {cores} logical cores, {threads} thread, {blas}; depthub chooses {linear} here; {versions}."
    return "\n".join([where, "", *_rows(times, COLUMNS), "", *_rows(memory, MEMORY)]) + "\n"


def rewritten(readme: str, results: Mapping[str, Any]) -> str:
    """The README with its figures replaced."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}"


def _rows(cases: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """A table of the cases, without empty columns."""
    used = {heading: key for heading, key in columns.items() if any(key in case for case in cases)}
    if not used:
        return []
    lines = [["case", "rounds", *used, "relative error"], ["---", *["--:"] * (1 + len(used)), "---"]]
    for case in cases:
        errors = ", ".join(f"{key.removesuffix('_error')} {value:.0e}" for key, value in case.items() if key.endswith("_error"))
        lines.append([case["case"], str(case["rounds"]), *(_digits(case.get(key)) for key in used.values()), errors])
    return [f"| {' | '.join(line)} |" for line in lines]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: Any) -> Any:
    """Four digits: further ones are noise of the machine."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
