"""Where every rung begins, and how its prompts are made to fit the model.

adaptation = base_adaptation(task, checkpoint)
adaptation, note = fit_to_context(adaptation, engine, queries)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepladder.adaptation import Adaptation, LabelReader, ProgramReader, Prompter, TextReader
from stepladder.adaptation.prompter import instruct
from stepladder.checkpoints import virtual_ids
from stepladder.contracts import Engine
from stepladder.errors import RungError
from stepladder.methods import Rung
from stepladder.records import Endpoint, Model, Query
from stepladder.tasks import Task

CONTEXT_NOTE = "shows {k} of {wanted} {what}: more do not fit the context of {context:,} tokens"


def base_adaptation(task: Task, checkpoint: Model) -> Adaptation:
    """Where every rung begins: the task's instruction and reader on an untouched checkpoint."""
    abstain = task.knowledge.abstain if task.knowledge else None
    prompter = Prompter(instruct(task.instruction, task.labels, abstain))
    return Adaptation(checkpoint, prompter, reader_of(task), task.sampling)


def without_programs(adaptation: Adaptation, task: Task) -> list[str]:
    """A note where programs are shown or learned from, and some rows have none."""
    if not isinstance(adaptation.reader, ProgramReader):
        return []
    without = sum(adaptation.reader.wanted(row) is None for row in task.train)
    if not without:
        return []
    return [f"{without:,} of {len(task.train):,} training rows have no program, and were left out"]


def reader_of(task: Task) -> TextReader | LabelReader:
    """What takes a text or a label from a completion."""
    return LabelReader(task.labels) if task.labels else TextReader()


def virtual_tokens_to_come(rung: Rung, adaptation: Adaptation) -> int:
    """Of a soft prompt that the rung trains and this adaptation does not have yet."""
    checkpoint = adaptation.checkpoint
    there = 0 if isinstance(checkpoint, Endpoint) else len(virtual_ids(checkpoint))
    return rung.virtual_tokens if there == 0 else 0


def fit_to_context(
    adaptation: Adaptation, engine: Engine, queries: Sequence[Query], kept_free: int = 0
) -> tuple[Adaptation, str | None]:
    """Drops demonstrations, or where there are none passages of evidence, for the whole rung,
    until every query that fits without them fits, with so many tokens kept free.

    Returns the adaptation and, where some were dropped, a note that says so. None are where tokens
    cannot be counted beforehand: then the server says which prompts do not fit. Raises RungError
    where no passage fits.
    """
    prompter, capabilities = adaptation.prompter, engine.capabilities
    shown = prompter.demonstrations or prompter.evidence
    if shown is None or capabilities.context is None:
        return adaptation, None
    examples = prompter.demonstrations is not None
    showing = prompter.with_shots if examples else prompter.with_passages
    room = capabilities.context - kept_free
    if not capabilities.encoder_decoder:
        room -= adaptation.sampling.max_new_tokens
    bare = showing(0)
    counts = engine.count_tokens([bare.render(q) for q in queries])
    if counts is None:
        return adaptation, None
    sizes = zip(counts, range(len(queries)), strict=True)
    # The longest first: where demonstrations do not fit, that shows at once.
    able = [queries[i] for count, i in sorted(sizes, reverse=True) if count <= room]

    def fits(prompter: Prompter) -> bool:
        counted = (engine.count_tokens([prompter.render(q)]) for q in able)
        return all(count is not None and count[0] <= room for count in counted)

    k = shown.k
    while k > 0 and not fits(showing(k)):
        k -= 1
    if k == shown.k:
        return adaptation, None
    if k == 0 and not examples:
        raise RungError(
            f"the evidence leaves no room for the question in a context of "
            f"{capabilities.context:,} tokens; give smaller passages, as by rag(size=64)"
        )
    what = "demonstrations" if examples else "passages"
    note = CONTEXT_NOTE.format(k=k, wanted=shown.k, what=what, context=capabilities.context)
    return replace(adaptation, prompter=showing(k)), note
