"""What files come to under each codec."""

import lzma
import zlib

import numpy as np
import zstandard

from components.common.lite.packing import SLOW_UP_TO, deflated_bytes, packed_sizes


def sparse_weights() -> bytes:
    """Returns int8 codes on a coarse grid, four of five of them zeros."""
    rng = np.random.default_rng(0)
    codes = np.clip(np.round(rng.normal(size=100_000) * 2), -7, 7).astype(np.int8)
    codes[rng.random(codes.size) < 0.8] = 0
    return codes.tobytes()


def test_the_zipped_size_is_that_of_a_raw_deflate_stream() -> None:
    data = np.random.default_rng(0).integers(0, 4, 10_000).astype(np.uint8).tobytes()
    assert len(zlib.compress(data, 9)) - deflated_bytes(data) == 6, "zlib's header and checksum"


def test_each_size_is_its_own_codec_s() -> None:
    data = sparse_weights()
    packed = packed_sizes(data)
    assert packed.zip == deflated_bytes(data)
    assert packed.xz == len(lzma.compress(data))
    assert packed.zstd == len(zstandard.compress(data, 19))


def test_a_file_that_takes_slow_codecs_too_long_is_zipped_alone() -> None:
    packed = packed_sizes(bytes(SLOW_UP_TO + 1))
    assert packed.zip and packed.xz is packed.zstd is None
    assert packed_sizes(bytes(1000)).xz


def test_sparse_weights_pack_best_as_xz_and_worst_as_zip() -> None:
    packed = packed_sizes(sparse_weights())
    assert packed.xz and packed.zstd
    assert packed.xz < packed.zstd < 0.95 * packed.zip, "zstd at a low level is worse than zip"
