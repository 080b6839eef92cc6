"""Tests of training, which needs the packages of the extra "train"."""

import pytest

pytest.importorskip("torch", reason='training is not installed: pip install -e ".[train]"')
