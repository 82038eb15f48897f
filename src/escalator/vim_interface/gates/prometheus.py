"""A gate that is a query of Prometheus, held against what it gave when the campaign began: key figures and alerts of VNFs.

Source: Prometheus HTTP API v1, instant queries. Any system that answers as it does will do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from escalator.model.brakes import GateEntry
from escalator.model.counting import counted
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.gates.port import SEEN_BYTES, Answer, Question, Verdict
from escalator.vim_interface.gates.web import UnaskedError, fetched

SHOWN = 3
"""Differences that are told; the others are counted."""
NAMES = 120
"""Characters of the labels of one value that are told."""


class PrometheusGate:
    """One entry of the setting `gates` with kind `prometheus`. A difference is not yet: figures recover; the deadline decides."""

    manual = False
    baseline = True

    def __init__(self, entry: GateEntry, credentials: Credentials) -> None:
        self.retry_s, self.deadline_s = entry.retry_s, entry.deadline_s
        self._entry = entry
        self._credentials = credentials

    async def ask(self, question: Question) -> Answer:
        """Run the query once. Before there is a baseline, it only says whether it can be asked."""
        try:
            values = await self._values()
        except UnaskedError as error:
            return Answer(Verdict.NO, str(error))
        if question.moment == "baseline":
            seen = json.dumps(values)
            if len(seen) > SEEN_BYTES:
                return Answer(Verdict.NO, f"its baseline of {counted(len(values), 'value')} is larger than {SEEN_BYTES} bytes")
            return Answer(Verdict.GO, f"its baseline is taken: {counted(len(values), 'value')}", seen)
        if question.baseline is None:
            return Answer(Verdict.GO, counted(len(values), "value"))
        found = list(self._differences(json.loads(question.baseline), values))
        if not found:
            return Answer(Verdict.GO, f"{counted(len(values), 'value')}, as when the campaign began")
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return Answer(Verdict.NOT_YET, "; ".join(found[:SHOWN]) + more)

    def _differences(self, before: Mapping[str, float], now: Mapping[str, float]) -> Iterator[str]:
        least, most = self._entry.not_below_percent, self._entry.not_above_percent
        for labels, was in sorted(before.items()):
            value = now.get(labels)
            if least is not None and value is None:
                yield f"{labels[:NAMES]} has no value any more"
            elif least is not None and value is not None and value < was - (1 - least / 100) * abs(was):
                yield f"{labels[:NAMES]} is {value:g}, below {least:g} % of {was:g}"
            elif most is not None and value is not None and value > was + (most / 100 - 1) * abs(was):
                yield f"{labels[:NAMES]} is {value:g}, above {most:g} % of {was:g}"
        if self._entry.no_new:
            yield from (f"{labels[:NAMES]} is new" for labels in sorted(now.keys() - before.keys()))

    async def _values(self) -> dict[str, float]:
        url = (self._entry.url or "").rstrip("/") + "/api/v1/query"
        status, content = await fetched(self._entry, self._credentials, url, {"query": self._entry.query or ""})
        try:
            answer = json.loads(content)
            if answer["status"] != "success":
                raise UnaskedError(f"Prometheus answered {status}: {str(answer.get('error'))[:200]}")
            return _read(answer["data"]["resultType"], answer["data"]["result"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise UnaskedError(f"what answered {status} is not Prometheus") from error


def _read(kind: str, result: list[object]) -> dict[str, float]:
    """The values by their labels. What is no number has no value."""
    match kind:
        case "scalar":
            found = {"the value": float(str(result[1]))}
        case "vector":
            found = {_labels(row["metric"]): float(row["value"][1]) for row in result if isinstance(row, dict)}
        case _:
            raise UnaskedError(f"the query gives a {kind}, and not one value of each kind")
    return {labels: value for labels, value in found.items() if math.isfinite(value)}


def _labels(metric: Mapping[str, str]) -> str:
    """Labels as one line that a terminal can show; the metric's name is the query's affair."""
    named = ", ".join(f"{name}={value}" for name, value in sorted(metric.items()) if name != "__name__")
    return "".join(c if c.isprintable() else " " for c in named) or "the value"
