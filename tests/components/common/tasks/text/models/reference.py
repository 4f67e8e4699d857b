"""The forward pass of a BERT-like encoder in float64, after the papers and apart from our graph.

It takes the tensors as PyTorch names them, and pads nothing: each text is computed alone, at its
own length, so that no mask is needed.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from scipy.special import erf

Array = npt.NDArray[np.float64]


class Reference:
    """An encoder's folder, computed in float64."""

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        loaded = load_file(folder / "model.safetensors")
        prefix = f"{self.config['model_type']}."
        self.tensors = {
            name.removeprefix(prefix): values.astype(np.float64) for name, values in loaded.items()
        }

    def tokens(self, ids: list[int], segments: list[int]) -> Array:
        """Returns what comes out at each token: [len(ids), hidden]."""
        found = self.tensors["embeddings.word_embeddings.weight"][ids]
        found = found + self.tensors["embeddings.position_embeddings.weight"][: len(ids)]
        if self.config["model_type"] != "distilbert":
            found = found + self.tensors["embeddings.token_type_embeddings.weight"][segments]
        found = self._norm(found, "embeddings.LayerNorm")
        if self.config["model_type"] == "electra":
            found = self._dense(found, "embeddings_project")
        block = self._distilbert if self.config["model_type"] == "distilbert" else self._bert
        layers = self.config.get("num_hidden_layers") or self.config["n_layers"]
        for number in range(layers):
            found = block(found, number)
        return found

    def _bert(self, x: Array, number: int) -> Array:
        at = f"encoder.layer.{number}"
        q, k, v = (self._dense(x, f"{at}.attention.self.{p}") for p in ("query", "key", "value"))
        mixed = self._attend(q, k, v, self.config["num_attention_heads"])
        x = self._norm(
            x + self._dense(mixed, f"{at}.attention.output.dense"),
            f"{at}.attention.output.LayerNorm",
        )
        wide = self._activate(self._dense(x, f"{at}.intermediate.dense"))
        return self._norm(x + self._dense(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")

    def _distilbert(self, x: Array, number: int) -> Array:
        at = f"transformer.layer.{number}"
        q, k, v = (self._dense(x, f"{at}.attention.{p}_lin") for p in "qkv")
        mixed = self._attend(q, k, v, self.config["n_heads"])
        x = self._norm(x + self._dense(mixed, f"{at}.attention.out_lin"), f"{at}.sa_layer_norm")
        wide = self._activate(self._dense(x, f"{at}.ffn.lin1"))
        return self._norm(x + self._dense(wide, f"{at}.ffn.lin2"), f"{at}.output_layer_norm")

    def _attend(self, q: Array, k: Array, v: Array, heads: int) -> Array:
        outputs = []
        for qh, kh, vh in zip(*(np.split(each, heads, axis=1) for each in (q, k, v)), strict=True):
            scores = qh @ kh.T / math.sqrt(qh.shape[1])
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            outputs.append(shares / shares.sum(axis=1, keepdims=True) @ vh)
        return np.concatenate(outputs, axis=1)

    def _activate(self, x: Array) -> Array:
        if (self.config.get("hidden_act") or self.config["activation"]) == "gelu":
            return 0.5 * x * (1 + erf(x / math.sqrt(2)))
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def _dense(self, x: Array, name: str) -> Array:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + self.config.get("layer_norm_eps", 1e-12))
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
