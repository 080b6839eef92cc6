"""Train, quantise and evaluate the detectors that pi_mask runs."""
