"""GRADE: statistics of each example first, the score second, a signature on each.

metrics = build_metrics(["rougeL", "bleu"], task.labels, [e.references for e in task.test])
statistics = metrics[0].statistics(answers, references)
score(metrics[0], statistics)       # value, 95 % interval, n, signature, details
"""

from stepladder.metrics.grading import Graded, build_metrics, grade, score, warnings
from stepladder.metrics.labels import no_labels

__all__ = ["Graded", "build_metrics", "grade", "no_labels", "score", "warnings"]
