"""Tables, as Markdown or in columns for a terminal, and how figures are written in them. Measures nothing."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, Sequence

from .statistic import Ratio, Spread

DASH = "–"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A Markdown table; so many columns from the left are text, the others figures."""
    marks = f"|{'---|' * left}{'---:|' * (len(head) - left)}"
    # What is in a cell must not end it.
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in [list(head), *cells]]
    return "\n".join([lines[0], marks, *lines[1:]])


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """The same, aligned by spaces."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def rate(value: float) -> str:
    """Tokens a second, to three digits or so."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(value: Spread | None) -> str:
    if value is None:
        return DASH
    if value.least == value.most:
        return rate(value.median)
    return f"{rate(value.median)} ({rate(value.least)} … {rate(value.most)})"


def ratio(value: Ratio | None) -> str:
    if value is None:
        return DASH
    if value.low is None or value.high is None:
        return f"{value.mean:.2f}"
    return f"{value.mean:.2f} ({value.low:.2f} … {value.high:.2f})"


def others(shares: Sequence[float]) -> str:
    """What other programs took, beside figures that they may have spoilt."""
    if not shares:
        return "what other programs took of the processors is not known here"
    median, most = 100 * statistics.median(shares), 100 * max(shares)
    return f"other programs took {median:.1f} % of the processors in the median, {most:.1f} % at most"


def write_json(path: str, value: Any) -> None:
    Path(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
