"""The layer that is to blame for a drift, and what was seen there.

Whatever makes a layer noisy leaves a figure of the size of its noise: the error of what was
clipped, that of rounding to the tensor's steps. What neither explains is due to the weights.
"""

from collections.abc import Iterator

import numpy as np

from components.common.documents.diagnosis import Cause, Finding, LayerNoise
from components.common.drift.tracing import (
    INPUT,
    ByChannel,
    LayerTrace,
    Trace,
    decibels,
    living,
    noise_share,
)
from components.common.words.figures import percent

_COMPARABLE = 0.25
"""Of the noisiest layer's own noise: the first layer with as much is to blame (6 dB). An
unrepresentative calibration clips everywhere, and then the first is where it begins."""
_LOST = 1.0
"""Noise, as a share of the signal, that leaves nothing of it; more loses no more."""
_STANDS_OUT = 0.02
"""Where no layer has as much, there is none to blame (17 dB)."""
_EXPLAINS = 0.4
_FAR_ABOVE = 8.0
"""A channel whose range is so many times the typical one's is an outlier: three bits."""


def describe_layers(trace: Trace) -> tuple[LayerNoise, ...]:
    """Returns the figures of each layer, in the order of the model."""
    return tuple(
        LayerNoise(
            layer=layer.label,
            operator=layer.tensor.operator,
            drift_db=round(decibels(layer.noise), 1),
            own_db=round(decibels(layer.own_noise), 1),
            clipped=round(layer.clipped, 6),
        )
        for layer in trace.layers
    )


def find_cause(trace: Trace) -> Finding:
    """Names the first layer where a file and its model part, and the likely cause."""
    # Of a softmax's output the values say how sure a model is, not what it answers.
    layers = [layer for layer in trace.layers if layer.kind != "Softmax"]
    noisiest = max(layers, key=lambda each: each.own_noise)
    parting = _COMPARABLE * min(noisiest.own_noise, _LOST)
    layer = next(layer for layer in layers if layer.own_noise >= parting)
    cause: Cause = "accumulation"
    if noisiest.own_noise < _STANDS_OUT:
        layer = noisiest
        evidence = [f"no layer adds more noise than this one, {_ratio(layer.own_noise)}"]
    else:
        cause, evidence = _explain(layer, trace)
    return Finding(
        layer=layer.label,
        cause=cause,
        evidence=(*evidence, *_constant_in_file(layer)),
        own_db=round(decibels(layer.own_noise), 1),
        in_float=_in_float(trace),
        to_spare=tuple(dict.fromkeys([*_own_operator(layer), *layer.readers])),
    )


def _own_operator(layer: LayerTrace) -> tuple[str, ...]:
    return () if layer.layer == INPUT else (layer.label,)


def _explain(layer: LayerTrace, trace: Trace) -> tuple[Cause, list[str]]:
    if not layer.tensor.step:
        return "other_weights", [
            f"the file computes {layer.label} in floating point and still gives something else "
            f"({_ratio(layer.own_noise)}): it has other weights than the model"
        ]
    norms = [norm for norm, before in trace.folds_apart.items() if {norm, before} & {*layer.group}]
    if norms:
        return "unfolded_norm", [
            f"{norms[0]} is computed on its own behind {trace.folds_apart[norms[0]]}, into which "
            "it could be folded, so the values between are quantized as well"
        ]
    clipping = noise_share(layer.clipped_errors, layer.expected)
    rounding = noise_share(_rounding(layer), layer.expected)
    if max(clipping, rounding) < _EXPLAINS * layer.own_noise:
        return _explain_without_range(layer)
    return _wide_range(layer) if rounding > clipping else ("saturation", [_saturation(layer)])


def _explain_without_range(layer: LayerTrace) -> tuple[Cause, list[str]]:
    noise = f"its noise is {_ratio(layer.own_noise)}"
    if not layer.weight_peak:
        return "accumulation", [f"{noise}, which its range does not explain, and it has no weights"]
    return "weights", [
        f"{noise}, which its range does not explain, so rounding its weights does",
        f"the greatest of the weights that share a scale is {layer.weight_peak:.3g} times their "
        "typical one",
    ]


def _rounding(layer: LayerTrace) -> ByChannel:
    return np.full_like(layer.expected, layer.tensor.step**2 / 12)


def _saturation(layer: LayerTrace) -> str:
    low, high = layer.reached
    return (
        f"{percent(layer.clipped)} of its values lie outside of {_range(layer.tensor.low)} to "
        f"{_range(layer.tensor.high)}, the range that calibration saw; they reach from "
        f"{_range(low)} to {_range(high)}"
    )


def _wide_range(layer: LayerTrace) -> tuple[Cause, list[str]]:
    lives = living(layer.variances)
    spreads = np.sqrt(layer.variances)
    typical = float(np.median(spreads[lives]))
    step = (
        f"one of its 256 steps is {layer.tensor.step:.3g}, where the typical channel varies by "
        f"{typical:.3g} (standard deviation)"
    )
    top = int(np.argmax(layer.largest))
    others = float(np.median(layer.largest[lives]))
    if layer.largest[top] > _FAR_ABOVE * others:
        return "outliers", [
            f"channel {top} reaches {layer.largest[top]:.3g}, {layer.largest[top] / others:.3g} "
            "times the typical channel",
            step,
        ]
    return "coarse_steps", [
        step,
        f"its range is {_range(layer.tensor.low)} to {_range(layer.tensor.high)}",
    ]


def _constant_in_file(layer: LayerTrace) -> Iterator[str]:
    lives = living(layer.variances)
    lost = int((lives & ~living(layer.variances_in_file)).sum())
    if lost:
        yield f"{lost} of its {int(lives.sum())} channels that vary are constant in the file"
    if dead := int((~lives).sum()):
        yield f"{dead} channels are constant in the model itself"


def _in_float(trace: Trace) -> tuple[str, ...]:
    inner = [layer for layer in trace.layers[:-1] if layer.layer != INPUT]
    floating = tuple(layer.label for layer in inner if not layer.tensor.step)
    return floating if 2 * len(floating) < len(inner) else ()


def _ratio(noise: float) -> str:
    return f"{decibels(noise):.1f} dB below the signal"


def _range(value: float) -> str:
    return f"{value:.3g}"
