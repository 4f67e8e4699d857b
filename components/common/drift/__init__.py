"""Where a `.tflite` departs from the Keras model that it was made from, and why.

`matching` finds the tensor of the file that holds a layer's output; `tracing` runs both on the same
examples and measures the noise of each layer; `causes` names the layer that is to blame and says
what was seen there.
"""
