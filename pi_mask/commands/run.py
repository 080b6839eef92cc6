"""Watch the door."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from pi_mask.commands.line_writer import LineWriter
from pi_mask.commands.options import Given, Preset, json_option, settings_options
from pi_mask.commands.streams import configure_logging, tell

if TYPE_CHECKING:
    from pi_mask.history import History
    from pi_mask.indicator.base import Indicator
    from pi_mask.pipeline import Pipeline
    from pi_mask.service import Notifier
    from pi_mask.settings import LoadedSettings

DESKTOP = Preset(
    "--desktop",
    {"camera.kind": "webcam", "model.accelerator": "cpu", "indicator.kind": "console"},
)

logger = logging.getLogger(__name__)


class _Stopped(BaseException):
    """Somebody asked the program to end; no Exception, so that nothing on the way catches it."""


@click.command(short_help="Watch the door and show verdicts.")
@settings_options(
    "camera.kind",
    "camera.source",
    "camera.realtime",
    "model.name",
    "model.accelerator",
    "model.threads",
    "model.min_score",
    "indicator.kind",
)
@click.option(
    "--desktop",
    "is_desktop",
    is_flag=True,
    help="Webcam, CPU and console, where no other flag says otherwise, whatever the configuration says.",
)
@json_option
def run(given: Given, *, is_desktop: bool, as_json: bool) -> None:
    """Watch the door until Ctrl-C, SIGTERM or the end of the files, and show verdicts.

    With --json, one line for each change of verdict and a summary at the end; the console indicator then
    writes to standard error. SIGTERM is the normal way to stop (exit code 0). Outputs are off afterwards.
    """
    from pi_mask.build import open_pipeline
    from pi_mask.history import History, runtime_folder
    from pi_mask.service import Notifier

    configure_logging("INFO")
    unreadable = 0
    notifier, history = Notifier(os.environ), History(runtime_folder(os.environ))
    with _stopping_on_signals(), notifier.explaining(), ExitStack() as stack:
        with history.backing_off():
            loaded = given.load(DESKTOP if is_desktop else None)
            indicator = stack.enter_context(closing(_open_indicator(loaded, history, as_json=as_json)))
        opening = open_pipeline(loaded.settings, indicator=indicator, check_edgetpu=history.check_edgetpu)
        unreadable = _watch(loaded, opening, notifier, as_json=as_json)
    if unreadable:
        raise SystemExit(1)


def _watch(
    loaded: LoadedSettings,
    opening: AbstractContextManager[Pipeline],
    notifier: Notifier,
    *,
    as_json: bool,
) -> int:
    """Run the pipeline to its end; return how many files could not be read."""
    from pi_mask import report

    tally, results = report.Tally(), LineWriter(sys.stdout)
    start: float | None = None
    try:
        with opening as pipeline, notifier.serving():
            start = time.perf_counter()
            logger.info("Watching. %s.", _choices(loaded))
            for observation in pipeline:
                notifier.observed(observation)
                results.check()
                if tally.add(observation) and as_json:
                    results.say(report.verdict_json(observation))
    finally:
        # Only after the outputs are off: whoever reads the summary may keep us waiting.
        if start is not None:
            summary = tally.summary(time.perf_counter() - start, pipeline.unreadable)
            if as_json:
                results.say(report.summary_json(summary))
                results.close()
            else:
                tell(report.summary_text(summary))
    return pipeline.unreadable


def _open_indicator(loaded: LoadedSettings, history: History, *, as_json: bool) -> Indicator:
    """What the settings name; the console makes room while standard output belongs to JSON."""
    from pi_mask.startup import open_indicator

    settings = loaded.settings.indicator
    if not as_json or settings.kind != "console":
        return open_indicator(settings, history)
    from pi_mask.indicator.console import ConsoleIndicator

    return ConsoleIndicator(sys.stderr)


def _choices(loaded: LoadedSettings) -> str:
    """The parts in use, and who chose them."""
    settings = loaded.settings
    chosen = {
        "camera.kind": ("Camera", settings.camera.kind),
        "model.accelerator": ("accelerator", settings.model.accelerator),
        "indicator.kind": ("indicator", settings.indicator.kind),
    }
    return ", ".join(f"{part} {value} ({loaded.sources[key]})" for key, (part, value) in chosen.items())


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as normal, SIGINT as an interruption.

    The first signal makes all three ignored: a second one would interrupt the switching off of outputs. A
    signal that the parent had ignored (nohup) stays so.
    """
    import signal

    def stop(number: int, _frame: object) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise _Stopped

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {n: handler for n in numbers if (handler := signal.getsignal(n)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except _Stopped:
        logger.info("Stopped by a signal.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
