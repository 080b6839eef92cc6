"""Run the command line as ``python -m pi_mask``."""

from pi_mask.cli import main

main()
