"""Training: phases of epochs of steps, which can be killed at any of them and go on."""
