"""float32: the model as it was trained, and so the baseline of all others."""

from components.quantize.schemes.scheme import Scheme

SCHEME = Scheme(kind="float32", words="float32 throughout")
