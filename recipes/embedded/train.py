"""Training of the embedded model: a plain loop, exact to resume, that can be decayed at any moment.

    python -m recipes.embedded.train --run RUN                       # train until stopped
    python -m recipes.embedded.train --run RUN --steps 5000          # or for so many steps
    python -m recipes.embedded.train --run RUN --decay 400           # with falling rate, and end

Schedule: warm-up, then a constant rate (so a run need not know its end), then a linear fall to zero
over ``--decay`` steps. An average of the weights is kept beside them: an early version is shipped
from it without a decay. The rows of step n depend on (seed, n) alone, and a checkpoint holds model,
optimizers, average and step, so a run that was cut off goes on to the same weights.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import distributed, multiprocessing
from torch.nn import functional
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from . import probe, tokenizer
from .episodes import MAX_TOKENS, Row, rows_of_step

#: What a further pass through the model costs, in tokens (measured on 2 cores).
PASS_COST = 150


@dataclass(frozen=True)
class Settings:
    """All that decides the weights, next to the code of the mixture."""

    seed: int = 1
    hidden: int = 224
    layers: int = 6
    heads: int = 7
    feed_forward: int = 608
    vocabulary: int = tokenizer.VOCABULARY
    tokens_per_step: int = 4096
    tokens_per_batch: int = 4096
    """Padded tokens that go through the model at once."""
    rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.05
    average: float = 0.998
    optimizer: str = "muon"
    """muon: Muon for the matrices, AdamW for the rest; adamw: AdamW for all."""


def float32_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention in float32, query and the rest (batch, heads, tokens, 32).

    On the CPU the fused kernel is two to four times slower in bfloat16 than in float32 for rows of
    up to 200 tokens (see log.md), while the matrices around it are twice as fast in bfloat16.
    """
    with torch.autocast("cpu", enabled=False):  # autocast would cast its inputs back to bfloat16
        out = functional.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), attn_mask=attention_mask,
            is_causal=attention_mask is None and query.shape[2] > 1, scale=scaling,
        )  # fmt: skip
    return out.to(value.dtype).transpose(1, 2).contiguous(), None


AttentionInterface.register("float32", float32_attention)
AttentionMaskInterface.register("float32", sdpa_mask)


def build_model(settings: Settings, end: int, pad: int) -> LlamaForCausalLM:
    """A fresh model from the seed."""
    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=settings.vocabulary,
        hidden_size=settings.hidden,
        intermediate_size=settings.feed_forward,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attention_dropout=0.0,
    )
    config._attn_implementation = "float32"
    return LlamaForCausalLM(config).float()


class Optimizers:
    """Muon for the matrices between the embeddings and AdamW for the rest, stepped as one."""

    def __init__(self, model: LlamaForCausalLM, settings: Settings) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        inner = [p for n, p in named if p.ndim == 2 and "embed" not in n and "lm_head" not in n]
        chosen = {id(p) for p in inner} if settings.optimizer == "muon" else set()
        rest = [p for _, p in named if id(p) not in chosen]
        groups = [
            {"params": [p for p in rest if p.ndim == 2], "weight_decay": settings.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), eps=1e-9)
        ]
        if chosen:
            self.parts.append(
                torch.optim.Muon(
                    inner,
                    lr=settings.rate,
                    weight_decay=settings.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )

    def step(self, rate: float) -> None:
        """One update at the given rate, and no gradients left."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> list[dict]:
        """The state of the parts, in order."""
        return [part.state_dict() for part in self.parts]

    def load(self, states: list[dict]) -> None:
        """The inverse of `state`."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def batches(rows: list[Row], pad: int, limit: int) -> list[tuple[torch.Tensor, ...]]:
    """Rows of like length together: ids, targets, weights, each (rows, longest).

    The cuts in the sorted rows are those of least cost: padded tokens, plus `PASS_COST` a batch.
    """
    rows = sorted(rows, key=lambda r: len(r.ids))
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(rows) + 1):
        longest = len(rows[end - 1].ids)
        starts = [s for s in range(end) if s == end - 1 or (end - s) * longest <= limit]
        best.append(min((best[s][0] + (end - s) * longest + PASS_COST, s) for s in starts))
    groups, end = [], len(rows)
    while end:
        start = best[end][1]
        groups.append(rows[start:end])
        end = start
    return [_padded(group, pad) for group in reversed(groups)]


def _padded(rows: list[Row], pad: int) -> tuple[torch.Tensor, ...]:
    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    targets = torch.zeros((len(rows), longest), dtype=torch.long)
    weights = torch.zeros((len(rows), longest))
    for i, row in enumerate(rows):
        size = len(row.ids)
        ids[i, :size] = torch.tensor(row.ids)
        targets[i, :size] = torch.tensor(row.targets)
        weights[i, :size] = torch.tensor(row.weights)
    return ids, targets, weights


def share(rows: list[Row], rank: int, workers: int) -> list[Row]:
    """The rows of one worker: sorted by length and dealt out to and fro, so that all have as much
    to do, long rows with their dear attention included."""
    ordered = sorted(rows, key=lambda row: -len(row.ids))
    turn = 2 * workers
    return [row for i, row in enumerate(ordered) if min(i % turn, turn - 1 - i % turn) == rank]


def add_up(model: LlamaForCausalLM, loss: float) -> float:
    """Sum gradients and loss over the workers."""
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    flat = torch.cat([torch.tensor([loss]), *(g.flatten() for g in grads)])
    distributed.all_reduce(flat)
    at = 1
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        parameter.grad = flat[at : at + grad.numel()].view_as(grad)
        at += grad.numel()
    return float(flat[0])


def backward(
    model: LlamaForCausalLM, rows: list[Row], settings: Settings, pad: int, rank: int, workers: int
) -> float:
    """Gradients of the weighted mean loss over all rows of a step; returns that loss.

    Padding is at the right and the attention causal, so no mask is needed (and none is passed: a
    mask of ones, or a cache, would make the library look for packed documents).
    """
    total = sum(sum(row.weights) for row in rows)
    loss_sum = 0.0
    for ids, targets, weights in batches(
        share(rows, rank, workers), pad, settings.tokens_per_batch
    ):
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
            counted = weights > 0
            logits = model.lm_head(hidden[counted])
        each = functional.cross_entropy(logits.float(), targets[counted], reduction="none")
        loss = (each * weights[counted]).sum() / total
        loss.backward()
        loss_sum += loss.item()
    return add_up(model, loss_sum) if workers > 1 else loss_sum


@dataclass
class Run:
    """A run in its folder: where it stands, and how it is written and read."""

    folder: Path
    settings: Settings
    model: LlamaForCausalLM
    average: LlamaForCausalLM
    optimizers: Optimizers
    encoder: Tokenizer
    step: int = 0
    tokens: int = 0
    decay_start: int | None = None
    rank: int = 0
    workers: int = 1

    @classmethod
    def open(cls, folder: Path, settings: Settings) -> Run:
        """The run as it stands in the folder, or a fresh one."""
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "tokenizer.json").exists():
            tokenizer.write(folder, tokenizer.build())
        encoder = Tokenizer.from_file(str(folder / "tokenizer.json"))
        end, pad = encoder.token_to_id(tokenizer.END), encoder.token_to_id(tokenizer.PAD)
        model = build_model(settings, end, pad)
        run = cls(
            folder, settings, model, copy.deepcopy(model), Optimizers(model, settings), encoder
        )
        if (folder / "checkpoint.pt").exists():
            run._load(torch.load(folder / "checkpoint.pt", weights_only=False))
        return run

    def _load(self, saved: dict) -> None:
        if saved["settings"] != asdict(self.settings):
            raise SystemExit(f"settings differ from the checkpoint's: {saved['settings']}")
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimizers.load(saved["optimizers"])
        self.step, self.tokens = saved["step"], saved["tokens"]
        self.decay_start = saved["decay_start"]

    def save(self) -> None:
        """Write the checkpoint; it replaces the last one whole."""
        state = {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": self.optimizers.state(),
            "step": self.step,
            "tokens": self.tokens,
            "decay_start": self.decay_start,
        }
        torch.save(state, self.folder / "checkpoint.new")
        (self.folder / "checkpoint.new").replace(self.folder / "checkpoint.pt")

    def rate(self, decay: int | None) -> float:
        """The rate of the coming step."""
        rate = self.settings.rate * min(1.0, (self.step + 1) / self.settings.warmup)
        if decay is not None and self.decay_start is not None:
            rate *= max(0.0, 1.0 - (self.step - self.decay_start) / decay)
        return rate

    def advance(self, decay: int | None = None) -> float:
        """One step; returns its loss."""
        s = self.settings
        end = self.encoder.token_to_id(tokenizer.END)
        rows = rows_of_step(
            s.seed, self.step, s.tokens_per_step, lambda text: self.encoder.encode(text).ids, end
        )
        pad = self.encoder.token_to_id(tokenizer.PAD)
        loss = backward(self.model, rows, s, pad, self.rank, self.workers)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizers.step(self.rate(decay))
        with torch.no_grad():
            keep = min(s.average, (self.step + 1) / (self.step + 10))
            for mean, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(new, 1 - keep)
        self.step += 1
        self.tokens += sum(len(row.ids) for row in rows)
        return loss

    def note(self, record: dict) -> None:
        """Append a line to the run's journal and show it."""
        line = json.dumps({"step": self.step, "tokens": self.tokens, **record})
        with (self.folder / "journal.jsonl").open("a") as journal:
            journal.write(line + "\n")
        print(line, flush=True)


def train(run: Run, args: argparse.Namespace) -> None:
    """Steps, notes, checkpoints and probes until the end (the first worker writes them)."""
    first = run.rank == 0
    last = run.step + args.steps if args.steps else None
    if args.decay:
        run.decay_start = run.step if run.decay_start is None else run.decay_start
        last = run.decay_start + args.decay
    else:
        run.decay_start = None  # at the full rate again, whatever came before
    recent: list[float] = []
    began, began_tokens, saved = time.time(), run.tokens, time.time()
    while last is None or run.step < last:
        recent.append(run.advance(args.decay))
        if first and run.step % 20 == 0:
            speed = (run.tokens - began_tokens) / (time.time() - began)
            run.note({"loss": round(sum(recent) / len(recent), 4), "tokens_per_s": round(speed)})
            recent = []
        if first and time.time() - saved > args.save_minutes * 60:
            run.save()
            saved = time.time()
        if first and run.step % args.probe_steps == 0:
            run.note({"probe": probe.measure(run.average, run.encoder, args.probe_items)})
    if first:
        run.save()
        run.note({"probe": probe.measure(run.average, run.encoder, args.probe_items)})


def work(rank: int, args: argparse.Namespace, settings: Settings) -> None:
    """One worker: all hold the same weights, each goes through its share of a step's batches.

    Two workers of one thread each beat one of two threads on a shared machine (see log.md).
    """
    torch.set_num_threads(args.threads)
    if args.workers > 1:
        store = f"file://{(args.run / 'meeting').resolve()}"
        distributed.init_process_group(
            "gloo", init_method=store, rank=rank, world_size=args.workers
        )
    run = Run.open(args.run, settings)
    run.rank, run.workers = rank, args.workers
    train(run, args)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, help="stop after so many further steps")
    parser.add_argument("--decay", type=int, help="let the rate fall to zero over so many steps")
    parser.add_argument("--save-minutes", type=float, default=3.0)
    parser.add_argument("--probe-steps", type=int, default=250)
    parser.add_argument("--probe-items", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2, help="processes that share each step")
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker")
    for name in ("seed", "hidden", "layers", "heads", "feed_forward", "tokens_per_step"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name))
    parser.add_argument("--rate", type=float, default=Settings.rate)
    parser.add_argument("--optimizer", choices=["muon", "adamw"], default=Settings.optimizer)
    args = parser.parse_args()
    given = {k: v for k, v in vars(args).items() if k in Settings.__dataclass_fields__}
    settings = Settings(**given)
    Run.open(args.run, settings)  # the tokenizer is made, and wrong settings told, before any work
    (args.run / "meeting").unlink(missing_ok=True)
    if args.workers == 1:
        work(0, args, settings)
    else:
        multiprocessing.spawn(work, (args, settings), nprocs=args.workers)


if __name__ == "__main__":
    main()
