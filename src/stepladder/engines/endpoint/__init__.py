"""A model behind any OpenAI-compatible server: vLLM, llama.cpp, Ollama, a hosted API. No torch.

    endpoint = find_out(read_address("http://127.0.0.1:8000/v1#qwen"), Sampling())
    engine = EndpointEngine(endpoint)

| file | what it does |
|---|---|
| `wire` | key, client, one request |
| `troubles` | what went wrong, and whether it may pass |
| `patience`, `pace` | again and when; how many at once |
| `requests`, `answers`, `streaming` | from a prompt to JSON, and from JSON to an answer |
| `probe` | is it there, and what can it do |
| `engine`, `background` | the Engine, on an event loop in a thread of its own |
"""

from stepladder.engines.endpoint.engine import EndpointEngine
from stepladder.engines.endpoint.patience import Patience
from stepladder.engines.endpoint.probe import find_out

__all__ = ["EndpointEngine", "Patience", "find_out"]
