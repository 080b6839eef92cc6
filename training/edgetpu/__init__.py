"""Bring int8 models to the Coral Edge TPU."""
