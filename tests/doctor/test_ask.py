"""Test how other programs are asked."""

from __future__ import annotations

from pi_mask.doctor.ask import ask
from tests.doctor.made_up import Programs


def test_the_answer_comes_without_white_space(programs: Programs) -> None:
    """What a program prints is its answer, in English whatever the user's language."""
    programs.script("speak", 'printf "\\n %s in %s\\n" "$1" "$LC_ALL"')

    assert ask("speak", "hello") == "hello in C.UTF-8"


def test_no_answer_is_none(programs: Programs) -> None:
    """A program that is missing, fails or hangs gives no answer and no exception."""
    programs.script("fail", "echo no; exit 1")
    programs.script("hang", "exec /bin/sleep 600")

    assert [ask("missing"), ask("fail"), ask("hang", timeout_s=0.05)] == [None, None, None]
