"""Test pi_mask.camera.codec_messages."""

from __future__ import annotations

import os

import pytest

from pi_mask.camera.codec_messages import caught_codec_messages


def test_foreign_messages_pass(capfd: pytest.CaptureFixture[str]) -> None:
    """Only the codecs' own lines are kept from the terminal."""
    with caught_codec_messages() as messages:
        os.write(2, b"libpng warning: odd\nsomebody else's line\n")

    assert messages == ["libpng warning: odd"]
    assert capfd.readouterr().err == "somebody else's line\n"
