"""ASK: engines that put prompts to a model; none knows task, method or metric.

    engine = registry.load("engines", "hf")(resolve("embedded"))
    for completion in engine.generate([prompt], Sampling(max_new_tokens=20)):
        print(completion.text)

`hf` runs transformers in this process; `endpoint` asks an OpenAI-compatible server; `fake` answers
from a function, for tests and dry runs; `head` by a small head on
features. `opening` chooses between the first two by a model's name.
Importing this room loads no torch: `stepladder.engines.hf` does when a model is first needed.
"""
