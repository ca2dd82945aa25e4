"""transformers in this process, behind the Engine protocol.

    engine = HFEngine(resolve("google/flan-t5-base"))
    for completion in engine.generate(prompts, Sampling(max_new_tokens=50)):
        ...                                      # as they finish
    for piece in engine.stream(prompt, Sampling()):
        print(piece, end="", flush=True)
    engine.path                                  # how this model is asked, and why so

The tokenizer is loaded with the first prompt, the weights with the first one that fits. In float32
greedy tokens equal those of asking one by one, except after a step whose two best logits all but
tie (`near_ties` counts them). Of the checkpoint's own generation settings only its token ids act.
A soft prompt is tokens before each prompt (`checkpoints.virtual`), the root of the prefix tree.
Where memory runs out, what was at work is asked again with half as many tokens at once.

Three runners do the work: `decode` for decoders on the shared path, `plain` for those that `proof`
keeps off it, `seq2seq` for encoder-decoders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from stepladder.checkpoints import (
    DTYPES,
    PairTokens,
    encode_pair,
    encode_prompt,
    load,
    load_tokenizer,
    out_of_memory,
    render,
    unwritable,
    virtual_ids,
)
from stepladder.engines.asking import Answer, Ask, Runner, cut_at_stop, pieces
from stepladder.engines.batching import Request, gather
from stepladder.engines.memory import BATCH_TOKENS, Budget, release
from stepladder.errors import CheckpointError, EngineError
from stepladder.records import (
    Capabilities,
    Checkpoint,
    Completion,
    LogLikelihood,
    Prompt,
    Sampling,
    Turn,
    content_hash,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NUMERICS = 1
"""Moved only when golden tokens move: kept answers are then asked for anew."""

PREFIX_BYTES = 2**29
"""Keys and values of prefixes that are kept from call to call."""


class EnginePath(NamedTuple):
    """How a model is asked."""

    name: str
    """`shared` (prefixes once for all rows), `generate` (transformers' own loop, every prompt in
    full) or `encoder-decoder`."""
    reason: str | None
    """Why a decoder is not on the shared path; None where nothing keeps it off."""


_Score = Callable[[Sequence[PairTokens]], list[LogLikelihood]]
_Fast = tuple[Runner, _Score, EnginePath]


class _Loaded(NamedTuple):
    model: Any
    runner: Runner
    score: _Score
    path: EnginePath


class HFEngine:
    """Asks one checkpoint, on a CUDA device where there is one."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        dtype: str = "float32",
        merged: bool = False,
        batch_tokens: int = BATCH_TOKENS,
        prefix_bytes: int = PREFIX_BYTES,
    ) -> None:
        """`merged` adds the last adapter into the weights, as all before it always are.
        `batch_tokens` bounds rows * (own part of the prompt + answer); free memory and running
        out of it lower it. `prefix_bytes` bounds what is kept of prefixes between calls."""
        if dtype not in DTYPES:
            raise CheckpointError(f"dtype is '{dtype}'; give one of {', '.join(DTYPES)}")
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.merged = merged
        self._virtual = virtual_ids(checkpoint)
        self._budget = Budget(batch_tokens)
        self._prefix_bytes = prefix_bytes
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._loaded: _Loaded | None = None
        self._attention: str | None = None

    @property
    def batch_tokens(self) -> int:
        """Tokens at work at once, as they are bounded now."""
        return self._budget.tokens

    @property
    def identity(self) -> str:
        """Content hash of checkpoint, dtype, numerics version, and whether all is merged."""
        parts = ["hf", self.checkpoint.identity, self.dtype, NUMERICS]
        return content_hash([*parts, "merged"] if self.merged else parts)

    @property
    def capabilities(self) -> Capabilities:
        return self.checkpoint.capabilities

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Loaded when first asked for, without the weights."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.checkpoint)
        return self._tokenizer

    @property
    def model(self) -> Any:
        """The torch model, loaded when first asked for."""
        return self._ready().model

    @property
    def path(self) -> EnginePath:
        """How this model is asked; loads it."""
        return self._ready().path

    @property
    def near_ties(self) -> int:
        """Greedy steps so far whose two best logits lay within 1e-4 of each other."""
        return self._loaded.runner.near_ties if self._loaded else 0

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            try:
                self._loaded = self._load()
            except (RuntimeError, MemoryError, OSError) as error:
                if not out_of_memory(error):
                    raise
                raise EngineError(
                    f"out of memory while loading '{self.checkpoint.name}'; use a smaller model, "
                    "or --dtype bfloat16"
                ) from error
        return self._loaded

    def _load(self) -> _Loaded:
        import torch

        model, self._tokenizer = load(self.checkpoint, dtype=self.dtype, merged=self.merged)
        model = model.to("cuda") if torch.cuda.is_available() else model
        base = model.get_base_model() if hasattr(model, "peft_config") else model
        self._budget.fit(base)
        self._attention = getattr(base.config, "_attn_implementation", None)
        loaded = self._with_runner(model, base)
        # Two tokens for nobody: a process's first answer imports and compiles more than it
        # computes, and the rung that happens to come first must not be billed for that.
        ids = tuple(encode_prompt(self.tokenizer, Prompt("a", (Turn("user", "a"),))))
        for _ in loaded.runner.answers([Ask(0, ids, 0)], Sampling(max_new_tokens=2)):
            loaded.runner.near_ties = 0
        return loaded

    def _runner(self, sampling: Sampling) -> Runner:
        """Who answers: beams are transformers' own search, whatever the model's usual way."""
        loaded = self._ready()
        if sampling.beams == 1:
            return loaded.runner
        from stepladder.engines.plain import PlainRunner

        seq2seq = self.capabilities.encoder_decoder
        return PlainRunner(
            loaded.model,
            self.tokenizer,
            self._budget,
            encoder_decoder=seq2seq,
            attention=self._attention,
        )

    def _with_runner(self, model: Any, base: Any) -> _Loaded:
        """The way to ask this model; `base` is it without peft's wrapper, its adapter in place."""
        seq2seq = self.capabilities.encoder_decoder
        fast: _Fast | None
        reason: str | None
        if hasattr(model, "peft_config") and model.active_peft_config.is_prompt_learning:
            fast, reason = None, "its adapter puts vectors before the prompt"
        else:
            fast, reason = self._seq2seq(base) if seq2seq else self._shared(base)
        if fast is not None:
            return _Loaded(model, *fast)
        from stepladder.engines import likelihood
        from stepladder.engines.plain import PlainRunner

        runner = PlainRunner(model, self.tokenizer, self._budget, encoder_decoder=seq2seq)
        score = partial(
            likelihood.plain_log_likelihoods,
            model,
            self._budget,
            pad=int(self.tokenizer.pad_token_id),
            encoder_decoder=seq2seq,
        )
        return _Loaded(model, runner, score, EnginePath("generate", reason))

    def _shared(self, base: Any) -> tuple[_Fast | None, str | None]:
        from stepladder.engines.cache import PrefixStore
        from stepladder.engines.decode import SharedRunner
        from stepladder.engines.likelihood import shared_log_likelihoods
        from stepladder.engines.proof import prove

        shared, reason = prove(base, PrefixStore(self._prefix_bytes))
        if shared is None:
            return None, reason
        ends = frozenset(base.generation_config.eos_token_id)
        runner = SharedRunner(shared, self._budget, ends=ends, tokenizer=self.tokenizer)
        score = partial(shared_log_likelihoods, shared, self._budget)
        return (runner, score, EnginePath("shared", None)), None

    def _seq2seq(self, base: Any) -> tuple[_Fast | None, str | None]:
        from stepladder.engines import seq2seq

        proved, reason = seq2seq.prove_seq2seq(base, int(self.tokenizer.pad_token_id))
        if proved is None:
            return None, reason
        runner = seq2seq.Seq2SeqRunner(proved, self.tokenizer, self._budget)
        score = partial(seq2seq.seq2seq_log_likelihoods, proved, self._budget)
        return (runner, score, EnginePath("encoder-decoder", None)), None

    def render(self, prompt: Prompt) -> str:
        return render(self.tokenizer, prompt)

    def unwritable(self, texts: Sequence[str]) -> dict[str, str]:
        """Those of which the tokenizer makes something else, with that."""
        return unwritable(self.tokenizer, texts)

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """Those of a soft prompt included."""
        before = len(self._virtual)
        return [before + len(encode_prompt(self.tokenizer, prompt)) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """Completions as they finish. Equal prompts are asked once, also when drawn, since each
        draws from a generator of its own."""
        for number, completion in self.samples(prompts, sampling, 1):
            assert number == 0
            yield completion

    def samples(
        self, prompts: Sequence[Prompt], sampling: Sampling, n: int
    ) -> Iterator[tuple[int, Completion]]:
        """`n` completions a prompt, of which number i is the one that `generate` gives with the
        seed i higher; the prompt is computed once for all of them."""
        waiting: list[Request] = []
        for request in self._requests(prompts):
            if self._fits(request, sampling):
                waiting.append(request)
            else:
                for number in range(n):
                    yield from ((number, c) for c in _spread(request, _over_context(request)))
        if not waiting:
            return
        asks = [
            Ask(place * n + number, request.ids, _seed(sampling.seed + number, request.rendered))
            for place, request in enumerate(waiting)
            for number in range(n)
        ]
        for answered in self._runner(sampling).answers(asks, sampling):
            place, number = divmod(answered.key, n)
            request = waiting[place]
            seconds = answered.seconds / len(request.places)
            completion = self._completion(request, answered.answer, sampling, seconds)
            yield from ((number, c) for c in _spread(request, completion))

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer in pieces as it is written; the generator's value is the whole Completion.

        The model works in a thread of its own, so that Ctrl-C reaches the caller at once.
        """
        request = self._requests([prompt])[0]
        if not self._fits(request, sampling):
            return _over_context(request)
        runner = self._runner(sampling)
        ask = Ask(0, request.ids, _seed(sampling.seed, request.rendered))
        start = time.perf_counter()
        answer = yield from pieces(runner, ask, sampling, self._text)
        seconds = time.perf_counter() - start
        return self._completion(request, answer, sampling, seconds)

    def fits(self, prompt: Prompt, answer: str, kept_free: int = 0) -> bool:
        """Whether `log_likelihood` takes this pair, with so many tokens of the context to spare."""
        limit = self.capabilities.context
        return limit is None or self._needed(self._pair(prompt, answer)) + kept_free <= limit

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """In the order of the pairs; CheckpointError for a pair that exceeds the context."""
        encoded = [self._pair(prompt, answer) for prompt, answer in pairs]
        for number, pair in enumerate(encoded, start=1):
            self._check_pair(pair, number)
        if not encoded:
            return []
        return self._ready().score(encoded)

    def close(self) -> None:
        """Frees the weights."""
        self._loaded = None
        release()

    def _requests(self, prompts: Sequence[Prompt]) -> list[Request]:
        tokenizer = self.tokenizer
        before = list(self._virtual)
        return gather(
            [(render(tokenizer, p), before + encode_prompt(tokenizer, p)) for p in prompts]
        )

    def _fits(self, request: Request, sampling: Sampling) -> bool:
        """An encoder-decoder's answer has a place of its own; elsewhere it follows the prompt."""
        limit = self.capabilities.context
        room = 0 if self.capabilities.encoder_decoder else sampling.max_new_tokens
        return limit is None or len(request.ids) + room <= limit

    def _pair(self, prompt: Prompt, answer: str) -> PairTokens:
        seq2seq = self.capabilities.encoder_decoder
        pair = encode_pair(self.tokenizer, prompt, answer, encoder_decoder=seq2seq)
        return pair._replace(prompt_ids=[*self._virtual, *pair.prompt_ids])

    def _needed(self, pair: PairTokens) -> int:
        """Tokens of the context."""
        answer = 0 if self.capabilities.encoder_decoder else len(pair.answer_ids)
        return len(pair.prompt_ids) + answer

    def _check_pair(self, pair: PairTokens, number: int) -> None:
        limit, needed = self.capabilities.context, self._needed(pair)
        if limit is not None and needed > limit:
            raise CheckpointError(
                f"pair {number} has {needed} tokens, but the context of '{self.checkpoint.name}' "
                f"is {limit}; shorten it"
            )

    def _text(self, tokens: Sequence[int]) -> str:
        text = self.tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _completion(
        self, request: Request, answer: Answer, sampling: Sampling, seconds: float
    ) -> Completion:
        return Completion(
            index=request.places[0],
            text=cut_at_stop(self._text(answer.written), sampling.stop),
            tokens=answer.tokens,
            tokens_in=len(request.ids),
            tokens_out=len(answer.tokens),
            seconds=seconds,
            finish=answer.finish,
        )


def _over_context(request: Request) -> Completion:
    return Completion(
        index=request.places[0],
        text="",
        tokens=(),
        tokens_in=len(request.ids),
        tokens_out=0,
        seconds=0.0,
        finish="over-context",
    )


def _spread(request: Request, completion: Completion) -> Iterator[Completion]:
    """The same completion at every place where its prompt stands."""
    return (replace(completion, index=place) for place in request.places)


def _seed(seed: int, rendered: str) -> int:
    """60 bits of a hash: a torch generator takes 64 with sign."""
    return int(content_hash([seed, rendered])[:15], 16)
