"""Models as code that builds graphs, and bundles of weights that fit into them."""
