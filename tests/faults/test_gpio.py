"""See what the door does when its pins are taken, or have much to do."""

from __future__ import annotations

import fcntl

from pi_mask.types import MaskLabel
from tests.colour_model import save_video
from tests.faults.door import HASTY, Bench, Door

CHANGES = 1020


def test_a_pin_that_is_taken_is_named(bench: Bench) -> None:
    """Code 3, nothing lit, and who might have it; once it is free, the next start works."""
    bench.shows("with_mask")
    (bench.folder / "gpio" / "line22").touch()
    with (bench.folder / "gpio" / "line22").open("r+") as line:
        fcntl.flock(line, fcntl.LOCK_EX)
        with Door(bench, environment=bench.service) as door:
            code = door.code()
    with Door(bench, environment=bench.service) as again:
        again.wait_until_open()

    assert (code, door.seen.pins, bench.lit - {"green", "relay"}) == (3, [], set())
    assert door.seen.log[-1] == (
        "Error: The red on GPIO22 cannot be opened ('GPIO busy'). Another program holds the pin: stop it "
        "(perhaps the service: sudo systemctl stop pi-mask), or choose another pin."
    )


def test_a_thousand_changes_a_minute(bench: Bench) -> None:
    """Lamps and relay follow each one, in order; the buzzer is heard once; the log is not flooded."""
    config = bench.config.read_text().replace("[policy]\nmin_face_px = 8.0\n", HASTY)
    bench.config.write_text(config + "buzzer_cooldown_s = 3600.0\n")
    faces: list[tuple[MaskLabel, ...]] = [(MaskLabel.WITH_MASK,), (), (MaskLabel.WITHOUT_MASK,), ()]
    video = save_video(bench.folder / "film.mp4", *(faces * (CHANGES // 4)), fps=CHANGES / 60, side=64)
    with Door(bench, "--camera", "files", "--source", video) as door:
        code = door.code()

    assert (code, door.seen.lit) == (0, set())
    assert door.seen.verdicts == ["mask", "idle", "no_mask", "idle"] * (CHANGES // 4)
    switched = [change for change in door.seen.pins if change[0] in ("green", "red", "relay")]
    one_round = [
        ("green", True),
        ("relay", True),
        ("relay", False),
        ("green", False),
        ("red", True),
        ("red", False),
    ]
    assert switched == one_round * (CHANGES // 4)
    assert door.seen.pins.count(("buzzer", True)) <= 3
    assert len(door.seen.log) < 10
