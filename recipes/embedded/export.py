"""Write the trained model as a folder that AutoModelForCausalLM and AutoTokenizer load.

    python -m recipes.embedded.export --run RUN --weights average --to FOLDER

``average`` is the running average (for a run that has not been decayed), ``model`` the weights as
they are (after a decay). Weights are stored in bfloat16; README.md in the folder is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer

from . import tokenizer
from .train import Settings, build_model

LARGEST_FILE = 12_000_000
MOST_PARAMETERS = 5_000_000


def export(run: Path, weights: str, folder: Path) -> dict[str, int | str]:
    """Write the folder; returns what was written (parameters, bytes, hash, step, tokens)."""
    encoder = Tokenizer.from_file(str(run / "tokenizer.json"))
    saved = torch.load(run / "checkpoint.pt", weights_only=False)
    end, pad = encoder.token_to_id(tokenizer.END), encoder.token_to_id(tokenizer.PAD)
    model = build_model(Settings(**saved["settings"]), end, pad)
    model.load_state_dict(saved[weights])
    model = model.to(torch.bfloat16)
    model.generation_config.eos_token_id = end
    model.generation_config.pad_token_id = pad
    model.generation_config.do_sample = False
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.write(folder, encoder)
    file = folder / "model.safetensors"
    file.chmod(0o644)  # the library writes it for its owner alone
    parameters = sum(p.numel() for p in model.parameters())
    if file.stat().st_size > LARGEST_FILE or parameters > MOST_PARAMETERS:
        raise SystemExit(f"too large: {file.stat().st_size} bytes, {parameters} parameters")
    return {
        "parameters": parameters,
        "bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "step": saved["step"],
        "tokens": saved["tokens"],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--weights", choices=["average", "model"], default="average")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    print(json.dumps(export(args.run, args.weights, args.to), indent=2))


if __name__ == "__main__":
    main()
