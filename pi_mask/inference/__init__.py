"""Run a detection model on an accelerator."""
