"""Retrieval: passages of the task's documents stand before the input, and the answer cites them.

    Rag(k=3).adapt(base, train, dev, bench).prompter.evidence

Lewis et al., "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks" (arXiv 2005.11401),
with the passages in the prompt rather than in the model. Demonstrations beside it carry their own
evidence, and a training behind it sees it in every prompt; both cite the first passage that has the
reference word for word, and none where none has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from stepladder.adaptation import Adaptation, CitingReader, Evidence, LabelReader, TextReader
from stepladder.adaptation.evidence import CUE
from stepladder.adaptation.prompter import STOP
from stepladder.checkpoints import special_marks, token_counter
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.records import Capabilities, Example
from stepladder.retrieval import Cut, Making, Merge, build_index

CITING = "Answer from the evidence and name its number."
READING = "Answer from the evidence."
CITATION_TOKENS = 8
"""Room for a citation behind the answer."""


@dataclass(frozen=True)
class Rag:
    """Evidence is looked up in the task's documents, and shown."""

    k: int = 3
    """Passages a prompt."""
    by: str = "lsa"
    """`bm25`; `lsa` for BM25 merged with LSA; or a sentence encoder's name or folder, for BM25
    merged with its vectors."""
    merge: Merge = "score"
    """`rank` (reciprocal ranks) or `score` (normalised scores)."""
    size: int = 128
    """Tokens a passage may have at most, the model's own."""
    overlap: int = 32
    """Tokens of a passage that may stand again in the next."""
    cite: bool = True
    """Whether the number of the passage is asked for, shown and learned."""

    fills: ClassVar[str | None] = "evidence"
    requires: ClassVar[Capabilities] = Capabilities()

    def __post_init__(self) -> None:
        if self.k < 1:
            raise RungError(f"rag: k is {self.k}; give 1 or more passages, or leave rag out")
        Cut(self.size, self.overlap)

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        """Raises RungError without documents, or behind demonstrations of another form; and what
        `build_index` raises."""
        if bench.knowledge is None:
            raise RungError(
                "rag needs documents, and the task has none; name them with 'knowledge: PATH' in "
                "the task file, or with --knowledge"
            )
        if base.prompter.demonstrations is not None:
            raise RungError(
                "rag shows evidence, but the demonstrations before the training to its left were "
                "learned without it; write rag or the demonstrations on the other side of the "
                "training"
            )
        making = Making(self.by, self.merge, Cut(self.size, self.overlap))
        kept = build_index(bench.knowledge, making, token_counter(base.checkpoint))
        about, k = kept.about(self.by), min(self.k, kept.passages)
        if k < self.k:
            about += f"; k is {self.k:,}, which is more than there are"
        marks = special_marks(base.checkpoint)
        evidence = Evidence(k, str(kept.folder), kept.key, about, marks=marks)
        reader, sampling, asked = base.reader, base.sampling, READING
        if self.cite and isinstance(reader, TextReader | LabelReader):
            reader, asked = CitingReader(reader), CITING
            most = sampling.max_new_tokens + CITATION_TOKENS
            sampling = replace(sampling, max_new_tokens=most)
        prompter = replace(
            base.prompter,
            instruction="\n".join(filter(None, (base.prompter.instruction, asked))),
            evidence=evidence,
            stop=tuple(dict.fromkeys((*base.prompter.stop, f"\n{CUE}", *STOP))),
        )
        return replace(base, prompter=prompter, reader=reader, sampling=sampling)
