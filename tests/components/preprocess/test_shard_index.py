"""What an index keeps of a member."""

from components.preprocess.shard_index import pack_counts, unpack_counts


def test_counts_are_as_great_as_the_squares_of_a_large_picture_s_intensities():
    counts = [0, 2048 * 2048 * 255**2, 3]
    assert unpack_counts(pack_counts(counts), most=3).tolist() == counts
    assert unpack_counts(pack_counts(counts), most=2).tolist() == counts[:2]
