"""What a server counts about itself, in the text format of Prometheus. Names follow those of other model servers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict

from threefold.serving.served import Predicted

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Measures:
    """Counters of one process; they start at zero with it."""

    def __init__(self) -> None:
        self.success: Counter[tuple[str, int]] = Counter()
        self.failure: Counter[tuple[str, int]] = Counter()  # by HTTP status
        self.rows: Counter[tuple[str, int, str]] = Counter()
        self.checks: Counter[tuple[str, str]] = Counter()
        self.labels: Counter[tuple[str, str]] = Counter()  # accepted, refused
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))

    def answered(self, endpoint: str, predicted: Predicted, seconds: float) -> None:
        """Count one answered request."""
        self.success[endpoint, predicted.arm.number] += 1
        self.seconds[endpoint] += seconds
        self.buckets[endpoint][bisect_left(BUCKETS_S, seconds)] += 1
        versions, sources = predicted.versions, predicted.sources
        if len(versions) == 1:
            self.rows[endpoint, versions[0], sources[0]] += 1
        else:
            for (version, source), count in Counter(zip(versions, sources, strict=True)).items():
                self.rows[endpoint, version, source] += count
        if predicted.checks:
            for row in predicted.checks:
                for check in row:
                    self.checks[endpoint, check] += 1

    def labelled(self, endpoint: str, accepted: int, refused: int) -> None:
        """Count the labels of one request."""
        self.labels[endpoint, "accepted"] += accepted
        self.labels[endpoint, "refused"] += refused

    def refused(self, endpoint: str, status: int) -> None:
        """Count one request that got an error."""
        self.failure[endpoint, status] += 1

    def text(self, gauges: dict[str, dict[str, float]]) -> str:
        """Everything as text.

        Args:
            gauges: metric -> label text, as in 'model="demo"' or "" -> value.
        """
        lines = ["# TYPE model_infer_request_success counter"]
        for (name, version), count in sorted(self.success.items()):
            lines.append(f'model_infer_request_success_total{{model="{name}",version="{version}"}} {count}')
        lines.append("# TYPE model_infer_request_failure counter")
        for (name, status), count in sorted(self.failure.items()):
            lines.append(f'model_infer_request_failure_total{{model="{name}",status="{status}"}} {count}')
        lines.append("# TYPE threefold_rows counter")
        for (name, version, source), count in sorted(self.rows.items()):
            lines.append(f'threefold_rows_total{{model="{name}",version="{version}",source="{source}"}} {count}')
        lines.append("# TYPE threefold_failed_checks counter")
        for (name, check), count in sorted(self.checks.items()):
            lines.append(f'threefold_failed_checks_total{{model="{name}",check="{_escaped(check)}"}} {count}')
        lines.append("# TYPE threefold_labels counter")
        for (name, outcome), count in sorted(self.labels.items()):
            lines.append(f'threefold_labels_total{{model="{name}",outcome="{outcome}"}} {count}')
        lines += self._durations()
        for metric, values in sorted(gauges.items()):
            lines.append(f"# TYPE {metric} gauge")
            lines += [
                f"{metric}{{{labels}}} {value}" if labels else f"{metric} {value}" for labels, value in values.items()
            ]
        return "\n".join(lines) + "\n"

    def _durations(self) -> list[str]:
        metric, lines = "model_infer_request_duration", ["# TYPE model_infer_request_duration histogram"]
        for name, counts in sorted(self.buckets.items()):
            total = 0
            for limit, count in zip((*BUCKETS_S, "+Inf"), counts, strict=True):
                total += count
                lines.append(f'{metric}_bucket{{model="{name}",le="{limit}"}} {total}')
            lines += [
                f'{metric}_count{{model="{name}"}} {total}',
                f'{metric}_sum{{model="{name}"}} {self.seconds[name]}',
            ]
        return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
