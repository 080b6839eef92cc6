"""The networks, written for int8 and the Edge TPU: ReLU6, no squeeze-and-excite, no swish."""
