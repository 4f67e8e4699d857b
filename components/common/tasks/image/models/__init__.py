"""The graphs that classify pictures: backbones, and the head on each."""
