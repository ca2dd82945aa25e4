"""What page and terminal show of a rung's evidence: shares as percentages, scores on their scale.

look_at(rung.grounded, times=100).kinds["right"]      # "61.3 %"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepladder.report import units
from stepladder.study.summary import (
    ANSWER_KINDS,
    EVIDENCE_WAYS,
    AnswerKind,
    EvidenceWay,
    Grounded,
)

KINDS: Mapping[AnswerKind, str] = {
    "right": "right",
    "abstained": "abstained",
    "misread": "wrong, in the evidence",
    "unsupported": "wrong, in none",
    "empty": "empty",
}
WAYS: Mapping[EvidenceWay, str] = {
    "none": "no evidence",
    "shuffled": "another item's",
    "retrieved": "as found",
    "gold": "gold",
}


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One rung's evidence as text."""

    kinds: Mapping[AnswerKind, str]
    """Shares of the answers, all kinds."""
    carried: str
    citing: str
    precision: str
    recall: str
    entailed: str
    """A dash where no model of inference was asked."""
    found: Mapping[str, str] | None
    """k, recall, MRR, nDCG, and how often the answer is carried; None for a closed-book rung."""
    ways: Mapping[EvidenceWay, str] | None
    """The deciding metric on other evidence; None where that was not measured."""
    items: str
    """How many items the ways are over."""
    worth: str
    """What the ways come to, in a sentence; empty without them."""


def look_at(grounded: Grounded, times: float) -> EvidenceView:
    """`times` brings the deciding metric to the scale that is shown."""
    found, split = grounded.retrieved, grounded.split
    return EvidenceView(
        kinds={kind: units.share(grounded.share(kind)) for kind in ANSWER_KINDS},
        carried=units.share(grounded.carried),
        citing=units.share(grounded.citing),
        precision=units.share(grounded.citation_precision),
        recall=units.share(grounded.citation_recall),
        entailed=units.share(grounded.entailed),
        found={
            "k": f"{found.k}",
            "with gold": f"{found.with_gold:,}",
            "recall": units.share(found.recall),
            "mrr": units.part(found.reciprocal_rank),
            "ndcg": units.part(found.ndcg),
            "carrying": units.share(found.carrying),
        }
        if found
        else None,
        ways={way: units.points(split.values.get(way), times) for way in EVIDENCE_WAYS}
        if split
        else None,
        items=f"{split.items:,}" if split else units.DASH,
        worth=_worth(split.values, times) if split else "",
    )


def _worth(values: Mapping[EvidenceWay, float | None], times: float) -> str:
    """How much is retrieval's and how much reading's."""
    none, shuffled, found, gold = (values.get(way) for way in EVIDENCE_WAYS)
    parts = []
    if none is not None and found is not None:
        parts.append(f"{units.signed(found - none, times)} points by evidence as found, over none")
    if found is not None and gold is not None:
        parts.append(f"{units.signed(gold - found, times)} more with the gold passages alone")
    if none is not None and shuffled is not None:
        parts.append(f"{units.signed(shuffled - none, times)} with another item's")
    return "; ".join(parts)
