"""Judge single faces a second time: an experiment, no part of pi-mask; see training/README.md."""
