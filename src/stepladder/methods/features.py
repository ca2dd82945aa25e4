"""Transfer by features: a frozen model reads the input, and a small head on its states answers.

    Features().adapt(base, train, dev, bench).checkpoint.head.folder       # arrays, no pickle

No network is trained. Labels get a logistic regression, numbers a ridge regression, their strength
of regularisation chosen by cross-validation on the training rows; other texts are answered with the
reference of the nearest training row, which is a baseline that anything should beat. On frozen
features against tuning: Peters et al., "To Tune or Not to Tune?" (arXiv 1903.05987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from stepladder.adaptation import Adaptation, LabelReader, Prompter
from stepladder.checkpoints import (
    check_layer,
    is_sentence_encoder,
    resolve_encoder,
    virtual_ids,
    with_head,
)
from stepladder.contracts import Workbench
from stepladder.errors import RungError
from stepladder.records import (
    Capabilities,
    Checkpoint,
    Endpoint,
    Example,
    HeadJob,
    HeadKind,
    Pooling,
)
from stepladder.training.heads import is_number


@dataclass(frozen=True)
class Features:
    """A small head on frozen features of the input alone."""

    encoder: str | None = None
    """Folder or hub id of a sentence encoder; without it the model's own hidden states."""
    layer: int = -1
    """Of the hidden states: 0 are the embeddings, -1 is the last layer."""
    pool: Literal["mean", "last"] = "mean"
    """Over the tokens of the input: their mean, or the last one."""
    head: Literal["auto", "logistic", "ridge", "neighbours"] = "auto"
    """`auto` takes logistic regression for labels, ridge regression where every reference is a
    number, and elsewhere the nearest training row's reference."""

    fills: ClassVar[str | None] = "head"
    requires: ClassVar[Capabilities] = Capabilities()

    def __post_init__(self) -> None:
        if self.encoder is not None and (self.layer, self.pool) != (-1, "mean"):
            raise RungError(
                "features: a sentence encoder has its own layer and pool; leave these out, or "
                "leave encoder out"
            )

    def adapt(
        self,
        base: Adaptation,
        train: Sequence[Example],
        dev: Sequence[Example],
        bench: Workbench,
    ) -> Adaptation:
        """Raises RungError where there is nothing to fit a head on, or a head that does not fit the
        task."""
        if not train:
            raise RungError("features needs training rows, and the task has none; give data.train")
        body = self._body(base)
        job = HeadJob(
            kind=self._kind(base, train),
            body=body,
            pooling=Pooling(self.layer, self.pool),
            rows=tuple(train),
            seed=bench.seed,
        )
        build = bench.fit_head(job)
        # Greedy and once: there is nothing to draw.
        sampling = replace(base.sampling, temperature=0.0)
        return replace(
            base,
            checkpoint=with_head(body, build.folder),
            prompter=Prompter(input_alone=True),
            sampling=sampling,
        )

    def _body(self, base: Adaptation) -> Checkpoint:
        if self.encoder is not None:
            return resolve_encoder(self.encoder)
        if isinstance(base.checkpoint, Endpoint):
            raise RungError(
                f"{base.checkpoint.name} is an endpoint, which shows no hidden states; name a "
                "sentence encoder: features(encoder=FOLDER)"
            )
        if virtual_ids(base.checkpoint):
            raise RungError(
                f"features reads the input alone, and {base.checkpoint.name} has a soft prompt "
                "before it; give the model under it"
            )
        if not is_sentence_encoder(base.checkpoint):
            check_layer(base.checkpoint, self.layer)
        return base.checkpoint

    def _kind(self, base: Adaptation, train: Sequence[Example]) -> HeadKind:
        labelled = isinstance(base.reader, LabelReader)
        odd = next((r.references[0] for r in train if not is_number(r.references[0])), None)
        if self.head == "auto":
            return "logistic" if labelled else "ridge" if odd is None else "neighbours"
        if self.head == "logistic" and not labelled:
            raise RungError(
                "features(head=logistic) chooses among labels, and the task names none; add "
                "'labels' to the task file, or leave head out"
            )
        if self.head == "ridge" and (labelled or odd is not None):
            why = "the task has labels" if labelled else f"a training row's reference is {odd!r}"
            raise RungError(f"features(head=ridge) answers with numbers, but {why}; leave head out")
        return self.head
