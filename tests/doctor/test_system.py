"""Test the checks of system, power, temperature and clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from pi_mask.doctor.clock import check_clock
from pi_mask.doctor.machine import Machine, Service
from pi_mask.doctor.power import check_power, check_temperature
from pi_mask.doctor.system import check_system
from tests.doctor.made_up import PI, Programs, Root, advised, found

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n# comment\n'
BUSTER = 'PRETTY_NAME="Raspbian GNU/Linux 10 (buster)"\nVERSION_CODENAME=buster\n'


def test_a_pi_with_a_known_system_is_named(root: Root) -> None:
    """Board, system, architecture and Python stand in one line."""
    root.put("etc/os-release", BOOKWORM)

    (status, code, message), *others = found(check_system(root.pi()))

    assert (status, code, others) == ("ok", "", [])
    assert message.startswith(f"{PI}, Debian GNU/Linux 12 (bookworm), ")
    assert ", Python 3." in message


def test_a_release_never_tried_is_a_warning_on_a_pi_only(root: Root) -> None:
    """A desktop may run what it likes."""
    root.put("etc/os-release", BUSTER)
    on_a_desktop = found(check_system(root.machine()))

    assert [code for _, code, _ in on_a_desktop] == [""]
    assert on_a_desktop[0][2].startswith("No Raspberry Pi, Raspbian GNU/Linux 10 (buster), ")
    assert found(check_system(root.pi()))[1:] == [
        (
            "warning",
            "system-unknown-release",
            "Raspbian GNU/Linux 10 (buster) was never tried with pi-mask.",
        )
    ]


@pytest.mark.parametrize(
    ("kib", "codes"), [(120 * 1024, [""]), (120 * 1024 - 1, ["", "system-little-memory"])]
)
def test_little_memory_is_a_warning(root: Root, kib: int, codes: list[str]) -> None:
    """Below 120 MiB free; not while the service runs, whose own share is in use already."""
    root.put("proc/meminfo", f"MemTotal:  900000 kB\nMemAvailable:   {kib} kB\n")
    running = Service(load="loaded", active="active", sub="running")

    assert [code for _, code, _ in found(check_system(root.machine()))] == codes
    assert [code for _, code, _ in found(check_system(root.machine(running)))] == [""]


def test_a_release_file_with_an_open_quote_is_read_as_it_is(root: Root) -> None:
    """A damaged file is no reason to break."""
    root.put("etc/os-release", 'PRETTY_NAME="Debian\n')

    assert '"Debian' in found(check_system(root.machine()))[0][2]


def test_only_a_pi_is_asked_for_its_power(root: Root, programs: Programs) -> None:
    """Other machines have no vcgencmd and nothing wrong with that."""
    assert found(check_power(root.machine())) == [("ok", "", "Only a Raspberry Pi can be asked")]
    assert [code for _, code, _ in found(check_power(root.pi()))] == ["power-unknown"]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0x0", [("ok", "", "Enough voltage since boot, never throttled")]),
        ("0x1", [("fault", "power-under-voltage", "The voltage is now too low.")]),
        ("0x10000", [("warning", "power-under-voltage", "The voltage was, since boot, too low.")]),
        ("0x10001", [("fault", "power-under-voltage", "The voltage is now too low.")]),
        (
            "0x50005",
            [
                ("fault", "power-under-voltage", "The voltage is now too low."),
                ("warning", "power-throttled", "The processor is now throttled."),
            ],
        ),
        (
            "0xA0008",
            [
                ("warning", "power-frequency-capped", "The processor's speed was, since boot, capped."),
                ("warning", "power-soft-temperature-limit", "The soft temperature limit is now reached."),
            ],
        ),
        ("0x80000000", [("ok", "", "Enough voltage since boot, never throttled")]),
    ],
)
def test_what_the_firmware_says_is_decoded(
    root: Root, programs: Programs, bits: str, expected: list[tuple[str, str, str]]
) -> None:
    """Low voltage now is a fault; what was, and what follows from it, are warnings; other bits count not."""
    programs.answer("vcgencmd", f"throttled={bits}")

    assert found(check_power(root.pi())) == expected


@pytest.mark.parametrize("answer", ["VCHI initialization failed", "throttled=", "throttled=0xzz"])
def test_a_strange_answer_about_power_is_none(root: Root, programs: Programs, answer: str) -> None:
    """A user outside the group video gets words instead of bits."""
    programs.answer("vcgencmd", answer)

    assert [code for _, code, _ in found(check_power(root.pi()))] == ["power-unknown"]


@pytest.mark.parametrize(
    ("temperatures", "expected"),
    [
        (["74999"], ("ok", "", "75 °C")),
        (["75000"], ("warning", "temperature-high", "The processor has 75 °C.")),
        (["84999", "30000"], ("warning", "temperature-high", "The processor has 85 °C.")),
        (["30000", "85000"], ("fault", "temperature-high", "The processor has 85 °C.")),
        (["-273200", "0", "200000", "nonsense", ""], ("ok", "", "No sensor")),
        ([], ("ok", "", "No sensor")),
    ],
)
def test_the_hottest_sensor_counts(
    root: Root, temperatures: list[str], expected: tuple[str, str, str]
) -> None:
    """A warning from 75 °C, a fault from 85; sensors that cannot be true are left out."""
    for index, millidegrees in enumerate(temperatures):
        root.put(f"sys/class/thermal/thermal_zone{index}/temp", f"{millidegrees}\n")

    assert found(check_temperature(root.machine())) == [expected]


NOON = datetime(2027, 5, 1, 12, 0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("yes", ("ok", "", "2027-05-01 12:00, synchronised")),
        ("no", ("warning", "clock-not-synchronised", "The clock (2027-05-01 12:00) is not synchronised.")),
        (None, ("ok", "", "2027-05-01 12:00, nobody can tell whether it is synchronised")),
    ],
)
def test_a_clock_that_is_not_synchronised_is_a_warning(
    root: Root, programs: Programs, answer: str | None, expected: tuple[str, str, str]
) -> None:
    """Only systemd knows; without it nobody does."""
    if answer is not None:
        programs.answer("timedatectl", answer)

    assert found(check_clock(root.machine(), NOON)) == [expected]


def test_a_year_before_this_program_cannot_be_true(root: Root) -> None:
    """A Pi without a net starts in the past."""
    assert found(check_clock(root.machine(), datetime(1970, 1, 1, 0, 1))) == [
        ("warning", "clock-wrong", "The clock says 1970-01-01 00:01, before this program was made.")
    ]


@pytest.mark.parametrize("check", [check_system, check_power, check_temperature, check_clock])
def test_an_empty_machine_breaks_nothing(
    root: Root, programs: Programs, check: Callable[[Machine], list[object]]
) -> None:
    """Without a file and without a program there is still an answer, and no fault."""
    assert "fault" not in [status for status, _, _ in found(check(root.machine()))]  # type: ignore[arg-type]


def test_all_advice_is_one_line(root: Root, programs: Programs) -> None:
    """A terminal's line is enough for what to do."""
    programs.answer("vcgencmd", "throttled=0xf000f")

    advice = advised(check_power(root.pi()))

    assert len(advice) == 4
    assert all(line and "\n" not in line for line in advice)
