"""What the benchmarks of this folder share: random models, prompts, side-by-side times, the record.

    made = kit.llama(hidden=288, layers=6)
    seconds, found = kit.timed("engine", lambda: engine_tokens(engine, prompts, 32))
    kit.record(Row("few-shot generation", "one-by-one generate", ratio=15.2, reach=15, exact=True))

Every ratio comes from one run on one machine, with the tokens compared. `BENCH=quick` takes fewer
prompts, and its ratios are printed and not kept: all benchmarks together then take under ten
minutes of two processors. `BENCH_CLOCK=processor` is for a machine that has other work too: one
thread, and seconds of the processor instead of those of the wall, which company stretches as it
likes.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

LATEST = Path(__file__).resolve().parent.parent / "latest.json"
QUICK = os.environ.get("BENCH") == "quick"
PROCESSOR = os.environ.get("BENCH_CLOCK") == "processor"
TIE = 1e-4

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Row:
    """One line of `latest.json`."""

    work: str
    against: str
    ratio: float
    """The other's seconds by ours."""
    reach: float
    """The ratio that is aimed at."""
    exact: bool
    """Whether what was `compared` was the same: every token, near ties (1e-4) aside, every
    update's loss, rounding aside, or the verdict."""
    compared: str = "tokens"
    """For the printed line alone."""


def record(row: Row) -> None:
    """Prints it, and puts it into `latest.json` in place of the same line of an earlier run, unless
    it is of a quick one."""
    same = f"same {row.compared}" if row.exact else f"OTHER {row.compared.upper()}"
    print(
        f"  {row.ratio:5.2f}x against {row.against} (to reach: {row.reach:g}x; {same})", flush=True
    )
    if QUICK:
        return
    rows = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else []
    rows = [r for r in rows if (r["work"], r["against"]) != (row.work, row.against)]
    rows.append({**asdict(row), "ratio": round(row.ratio, 2)})
    del rows[-1]["compared"]
    LATEST.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def begin() -> None:
    """Sets the threads, and says how what follows is measured."""
    import torch

    if PROCESSOR:
        os.environ["OMP_NUM_THREADS"] = "1"  # of processes that this one starts
        torch.set_num_threads(1)
    clock = "processor" if PROCESSOR else "wall"
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {clock} seconds")


def timed(what: str, work: Callable[[], _Result]) -> tuple[float, _Result]:
    """Seconds by the clock of this run, and what came out. Those of the other clock are printed
    beside them: where they disagree with one thread, the machine was not quiet."""
    start, used = time.perf_counter(), _processor()
    result = work()
    seconds, used = time.perf_counter() - start, _processor() - used
    print(f"  {what}: {seconds:.2f} s ({used:.2f} s of the processor)", flush=True)
    return used if PROCESSOR else seconds, result


def _processor() -> float:
    """Seconds of this process, and of those that it started and that have ended."""
    return sum(os.times()[:4])


def how() -> dict[str, Any]:
    """What another process needs to know to be measured alike."""
    import torch

    return {"threads": torch.get_num_threads(), "processor": PROCESSOR}


def quick(full: _Result, small: _Result) -> _Result:
    return small if QUICK else full


class Made(NamedTuple):
    """A random model's folder and its parameters."""

    folder: Path
    parameters: int


class Training(NamedTuple):
    """One case of the benchmarks of trainings; lengths are tokens."""

    model: str
    made: Made
    method: str
    prompt: int
    answer: int


def llama(hidden: int = 288, layers: int = 6, heads: int = 6, vocabulary: int = 32_000) -> Made:
    """15 M parameters, embeddings among them, unless other sizes are given."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=2048,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        tie_word_embeddings=True,
        initializer_range=0.05,
    )
    return _saved(LlamaForCausalLM, config, vocabulary)


def t5(vocabulary: int = 32_128) -> Made:
    """60 M parameters: the sizes of t5-small."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=vocabulary,
        d_model=512,
        d_kv=64,
        d_ff=2048,
        num_layers=6,
        num_heads=8,
        dropout_rate=0.0,  # else no two trainings have the same losses
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,  # type: ignore[call-arg]
    )
    return _saved(T5ForConditionalGeneration, config, vocabulary)


def _saved(family: Any, config: Any, vocabulary: int) -> Made:
    """With a tokenizer to which the word `w123` is token 123."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    torch.manual_seed(0)
    model = family(config)
    folder = Path(tempfile.mkdtemp(prefix="stepladder-bench-"))
    model.save_pretrained(folder)
    words = {"<pad>": 0, "</s>": 1, **{f"w{i}": i for i in range(2, vocabulary)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>"
    )
    fast.save_pretrained(folder)
    return Made(folder, sum(p.numel() for p in model.parameters()))


def words(rng: random.Random, count: int, vocabulary: int = 32_000) -> str:
    return " ".join(f"w{rng.randrange(2, vocabulary)}" for _ in range(count))


def plain(folder: Path) -> Any:
    """The model as transformers loads it, in float32, where the engine has it too."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    seq2seq = AutoConfig.from_pretrained(folder).is_encoder_decoder
    family = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
    model = family.from_pretrained(folder, dtype=torch.float32).eval()
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def generated(
    model: Any, rows: Sequence[Sequence[int]], new: int, batch: int, *, ordered: bool = True
) -> list[tuple[int, ...]]:
    """Greedy answers of transformers' own `generate`, in batches, the longest rows first where
    `ordered`."""
    import torch

    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]) if ordered else i)
    answers: dict[int, tuple[int, ...]] = {}
    left = not model.config.is_encoder_decoder
    for at in range(0, len(order), batch):
        places = order[at : at + batch]
        width = max(len(rows[i]) for i in places)
        ids = torch.zeros(len(places), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for line, i in enumerate(places):
            cut = slice(width - len(rows[i]), width) if left else slice(0, len(rows[i]))
            ids[line, cut], mask[line, cut] = torch.tensor(rows[i]), 1
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            do_sample=False,
            max_new_tokens=new,
        )
        for i, tokens in zip(places, out[:, width if left else 1 :].tolist(), strict=True):
            answers[i] = tuple(tokens[: tokens.index(1) + 1] if 1 in tokens else tokens)
    return [answers[i] for i in range(len(rows))]


def paged(model: Any, rows: Sequence[Sequence[int]], new: int) -> list[tuple[int, ...]]:
    """Greedy answers of transformers' paged continuous batching, which shares what prompts begin
    with by whole pages. It leaves the model changed."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    ends, pad = model.generation_config.eos_token_id, model.generation_config.pad_token_id
    settings: Any = GenerationConfig
    settings = settings(max_new_tokens=new, do_sample=False, eos_token_id=ends, pad_token_id=pad)
    pages = ContinuousBatchingConfig(page_size=64, max_memory_percent=0.3)
    found = model.generate_batch(
        [list(row) for row in rows],
        generation_config=settings,
        continuous_batching_config=pages,
    )
    answers = {tuple(answer.prompt_ids): answer for answer in found.values()}
    if broken := [a.error for a in answers.values() if a.error is not None]:
        raise RuntimeError(f"continuous batching failed: {broken[0]}")
    return [tuple(answers[tuple(row)].generated_tokens) for row in rows]


def parts_at_ties_only(
    model: Any,
    rows: Sequence[Sequence[int]],
    found: Sequence[tuple[int, ...]],
    expected: Sequence[tuple[int, ...]],
) -> bool:
    """Whether answers are equal up to a step whose two best logits lie within 1e-4."""
    import torch

    for row, one, other in zip(rows, found, expected, strict=True):
        if one == other:
            continue
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        with torch.inference_mode():
            if model.config.is_encoder_decoder:
                given = torch.tensor([[0, *other[:same]]], device=model.device)
                ids = torch.tensor([row], device=model.device)
                out = model(input_ids=ids, decoder_input_ids=given)
            else:
                ids = torch.tensor([[*row, *other[:same]]], device=model.device)
                out = model(input_ids=ids)
        best = out.logits[0, -1].topk(2).values
        if best[0] - best[1] >= TIE:
            return False
    return True
