"""The model card of an exported rung: the verdict, the table, how to load it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stepladder.adaptation.export import stays_an_adapter
from stepladder.checkpoints import BESIDE, is_soft_prompt, virtual_ids
from stepladder.checkpoints.quantized import on_quantized
from stepladder.engines.sameness import Sameness
from stepladder.plurals import counted
from stepladder.records import Checkpoint, Model, Score
from stepladder.study.summary import RungSummary, Summary

_LOAD_ADAPTER = """\
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("this-folder", dtype="float32")"""
_LOAD_QUANTIZED = """\
from peft import AutoPeftModelForCausalLM
from transformers import BitsAndBytesConfig

four = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype="float32",
)
model = AutoPeftModelForCausalLM.from_pretrained(
    "this-folder", dtype="float32", quantization_config=four
)"""
_LOAD_WHOLE = """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("this-folder", dtype="float32")"""

_BESIDE = (
    f"The folder `{BESIDE}` is the other half: a soft prompt that was trained with these weights, "
    "in peft's format. peft puts it before a whole model, refuses it beside a LoRA in one, and "
    "loads either alone; Stepladder loads both."
)
_FOUR = (
    "The adapter was trained, and measured, on the base's weights in 4 bits, which bitsandbytes "
    "makes of them; on the full weights it answers otherwise."
)
_LOAD_HEAD = """\
from stepladder import Adaptation

adaptation = Adaptation.load("this-folder")
adaptation.answer("...")     # the task's input"""

_WEIGHTS = (
    "Without Stepladder the prompt must be rendered as `stepladder.json` describes it. Base model: "
    "`{base}`; its licence holds for what is derived from it."
)
_HEADED = (
    "The head's arrays are in `head.safetensors`, what they mean in `head.json`. They act on the "
    "features of `{base}`, which is named there and not copied; its licence holds for it."
)


def model_card(
    summary: Summary, rung: RungSummary, checkpoint: Model, *, merged: bool = False
) -> str:
    """Markdown with the hub's front matter; `merged` where the adapter is in the weights."""
    adapter = not merged and isinstance(checkpoint, Checkpoint) and stays_an_adapter(checkpoint)
    headed = isinstance(checkpoint, Checkpoint) and checkpoint.head is not None
    front = {
        "library_name": "stepladder" if headed else "peft" if adapter else "transformers",
        "base_model": rung.model,
        "tags": ["stepladder"],
    }
    head = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())
    chosen = "the study's winner" if rung.name == summary.verdict.rung else "not the winner"
    seq2seq = checkpoint.capabilities.encoder_decoder
    four = adapter and _on_quantized(checkpoint)
    code = _LOAD_QUANTIZED if four else _LOAD_ADAPTER if adapter else _LOAD_WHOLE
    loads = code.replace("CausalLM", "Seq2SeqLM") if seq2seq else code
    rows = [
        f"| {r.name} | {_cell(r, summary.deciding)} | {_items(r, summary.deciding)} |"
        for r in summary.rungs
    ]
    return "\n".join(
        [
            "---",
            head,
            "---",
            f"# {summary.task['name']}: {rung.name} on {summary.models[rung.model]}",
            "",
            f"Made by Stepladder's study `{summary.study}`; this rung is {chosen}.",
            "",
            f"> {summary.verdict.sentence}",
            "",
            f"| rung | {summary.deciding} (95 % interval), on a scale of 0 to 100 | items |",
            "|---|---|---|",
            *rows,
            "",
            _graded(rung, summary),
            *_builds(rung, summary),
            "",
            "## Use",
            "",
            "With prompt and reader as measured (the argument is the task's input):",
            "",
            "```",
            'stepladder ask this-folder "..."',
            "```",
            "",
            "From Python:" if headed else "The weights alone:",
            "",
            "```python",
            _LOAD_HEAD if headed else loads,
            "```",
            "",
            *([_FOUR, ""] if four else []),
            *([_BESIDE, ""] if _has_prompt_beside(checkpoint, adapter) else []),
            _HEADED.format(base=checkpoint.name) if headed else _WEIGHTS.format(base=rung.model),
            "",
        ]
    )


def _on_quantized(checkpoint: Model) -> bool:
    return isinstance(checkpoint, Checkpoint) and on_quantized(checkpoint.adapters)


def _has_prompt_beside(checkpoint: Model, adapter: bool) -> bool:
    """Whether the exported folder has a soft prompt in a folder within."""
    if not isinstance(checkpoint, Checkpoint):
        return False
    alone = adapter and is_soft_prompt(checkpoint.adapters[0].folder)
    return bool(virtual_ids(checkpoint)) and not alone


def sameness_section(forms: Sequence[Sameness]) -> str:
    """The end of the card: how closely what was written answers as it did in the study."""
    if not forms:
        return "\n## The same answers\n\nNot examined: the ledger kept no prompts of this study.\n"
    lines = [f"- {sameness_line(one)}" for one in forms]
    return "\n".join(["", "## The same answers", "", *lines, ""])


def sameness_line(one: Sameness) -> str:
    """The same of one form."""
    ties = f", {one.ties} after a tie of two tokens with others" if one.ties else ""
    return (
        f"{one.form}: {counted(one.items, 'prompt')} of the study asked again, "
        f"{one.items - one.ties} with the same tokens{ties}; log-likelihoods within "
        f"{one.gap:.1g} nats"
    )


def _graded(rung: RungSummary, summary: Summary) -> str:
    """On how many items, and how; a race may have ended before the last one."""
    found = rung.metrics.get(summary.deciding)
    if found is None:
        return f"Not graded: no answers were asked of this rung. `{summary.deciding}`"
    return f"Graded on {found.n:,} of {summary.task['rows']['test']:,} items. `{found.signature}`"


def _builds(rung: RungSummary, summary: Summary) -> list[str]:
    """How far other seeds came, where that was looked at: this is one build of them."""
    rows = summary.spread.rungs if summary.spread else ()
    row = next((row for row in rows if row.rung == rung.name), None)
    found = rung.metrics.get(summary.deciding)
    if row is None or row.low is None or row.high is None or found is None:
        return []
    low, high = (f"{end * found.times:.1f}" for end in (row.low, row.high))
    return [
        "",
        f"{len(row.values)} builds that differ in their seed came to {low} to {high} on the same "
        "items; this is the first of them.",
    ]


def _items(rung: RungSummary, deciding: str) -> str:
    found = rung.metrics.get(deciding)
    return f"{found.n:,}" if found else "-"


def _cell(rung: RungSummary, deciding: str) -> str:
    found: Score | None = rung.metrics.get(deciding)
    if found is None or found.value is None:
        return rung.error or rung.state
    shown = f"{found.value * found.times:.1f}"
    if found.low is None or found.high is None:
        return shown
    return f"{shown} ({found.low * found.times:.1f} to {found.high * found.times:.1f})"
