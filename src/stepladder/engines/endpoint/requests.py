"""From a prompt to the request that is sent, and the text that stands for it in ledger and report.

request = request_of(endpoint, prompt, sampling)    # {"messages": ..., "max_tokens": 64, ...}
"""

from __future__ import annotations

from stepladder.engines.endpoint.wire import Way
from stepladder.records import Endpoint, Json, Prompt, Sampling, Turn, content_hash

MOST_STOPS = 4
"""Stop strings that a request may have; the answer is cut here too, at all of them."""
_SEEDS = 2**31


def way_of(endpoint: Endpoint) -> Way:
    """Chat where the server has it."""
    return "chat" if endpoint.capabilities.chat else "plain"


def rendered(endpoint: Endpoint, prompt: Prompt) -> str:
    """What is sent: the text, or the turns, which the server puts through its own template.

    No two lists of turns look the same, since each says how long it is.
    """
    if way_of(endpoint) == "plain":
        return prompt.text
    turns = turns_of(prompt)
    return "\n".join(f"[{t.role}, {len(t.text)} characters]\n{t.text}" for t in turns)


def turns_of(prompt: Prompt) -> tuple[Turn, ...]:
    """The prompt's turns; its text as the user's where it has none."""
    return prompt.turns or (Turn("user", prompt.text),)


def request_of(endpoint: Endpoint, prompt: Prompt, sampling: Sampling) -> Json:
    """The body of a request, but for the model's name.

    Temperature and top_p are always sent: servers fill in what a model's maker recommends.
    """
    request: Json = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    if way_of(endpoint) == "plain":
        request["prompt"] = prompt.text
    else:
        turns = turns_of(prompt)
        request["messages"] = [{"role": turn.role, "content": turn.text} for turn in turns]
    limit = "max_completion_tokens" if "max_tokens" in endpoint.not_taken else "max_tokens"
    request[limit] = sampling.max_new_tokens
    if sampling.stop and "stop" not in endpoint.not_taken:
        request["stop"] = list(sampling.stop[:MOST_STOPS])
    if sampling.top_k:
        request["top_k"] = sampling.top_k
    if sampling.temperature > 0:
        # Of the prompt too: one seed for all would draw the same numbers for each.
        drawn = content_hash([sampling.seed, rendered(endpoint, prompt)])
        request["seed"] = int(drawn[:15], 16) % _SEEDS
    return request
