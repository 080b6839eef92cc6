"""Define what every indicator does."""

from typing import Protocol, runtime_checkable

from pi_mask.types import Verdict


class Indicator(Protocol):
    """Lights, sounds or text for the person at the door. After ``close()`` all outputs are off."""

    def show(self, verdict: Verdict, *, is_degraded: bool = False) -> None:
        """Show a change; the pipeline calls it only when one of the two arguments changed.

        Args:
            verdict: What the door says now.
            is_degraded: True while the CPU stands in for a lost Edge TPU: the amber sign.
        """
        ...

    def close(self) -> None:
        """Turn everything off and release the pins; calling it again is fine."""
        ...


@runtime_checkable
class SelfTesting(Protocol):
    """An indicator with parts that may be broken."""

    def self_test(self) -> None:
        """Show every part once, then none; the door stays as it is.

        Raises:
            PiMaskError: A part did not obey.
        """
        ...
