"""The DAG and how it is run; never imports TensorFlow, Beam or LiteRT."""
