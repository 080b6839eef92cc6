"""Test that a Raspberry Pi camera becomes Frames, with a stand-in for picamera2 in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

STAND_IN = Path(__file__).parent / "stand_in"
PREAMBLE = """
import json, logging, sys
from contextlib import closing
from pi_mask.camera import picamera
from pi_mask.camera.picamera import PicameraCamera
from pi_mask.errors import CameraError, CameraTimeout

def outcome(call):
    try:
        result = call()
    except CameraError as error:
        return [type(error).__name__, str(error)]
    return None if result is None else result.index

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
"""


def run(script: str, modules: Path = STAND_IN) -> tuple[Any, str]:
    """Run a script that prints JSON beside a picamera2; returns what it printed and logged."""
    path = os.pathsep.join([str(modules), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_frames() -> None:
    """Frames are R, G, B, of the wanted size, without the padding of the rows, and newer each time."""
    seen, _ = run("""
        with closing(PicameraCamera(width=66, height=48)) as camera:
            frames = [camera.read() for _ in range(3)]
        greens = [int(f.image[0, 0, 1]) for f in frames]
        times = [f.timestamp for f in frames]
        print(json.dumps({
            "layouts": [[f.image.shape, str(f.image.dtype), f.image.flags["C_CONTIGUOUS"]] for f in frames],
            "is_plain": [bool((f.image == [200, green, 10]).all()) for f, green in zip(frames, greens)],
            "indices": [f.index for f in frames],
            "sources": [f.source for f in frames],
            "is_newer": greens == sorted(set(greens)) and times == sorted(set(times)),
            "is_live": camera.is_live,
        }))
    """)

    assert seen == {
        "layouts": [[[48, 66, 3], "uint8", True]] * 3,
        "is_plain": [True] * 3,
        "indices": [0, 1, 2],
        "sources": ["Pi camera 0"] * 3,
        "is_newer": True,
        "is_live": True,
    }


def test_what_is_asked_of_the_camera() -> None:
    """The image processor is asked for the size, the channel order, the frame rate and no old frames.

    The sensor is asked for all it sees; of that a square frame shows the middle.
    """
    log, _ = run("""
        from picamera2 import BENCH
        PicameraCamera(width=321, height=320, fps=25.0).close()
        print(json.dumps(BENCH.log))
    """)

    assert log == [
        "open",
        {
            "main": {"format": "BGR888", "size": [320, 320]},
            "buffer_count": 4,
            "controls": {"FrameDurationLimits": [40000, 40000]},
            "queue": False,
            "sensor": {"output_size": [1640, 1232], "bit_depth": 10},
            "view": [408, 0, 2464, 2464],
        },
        "close",
    ]


@pytest.mark.parametrize(
    ("sensor", "size", "view"),
    [
        ("imx219", (512, 384), [0, 2, 3280, 2460]),
        ("imx708", (512, 288), [0, 0, 4608, 2592]),
        ("imx708", (512, 384), [576, 0, 3456, 2592]),
    ],
    ids=["Module 2", "Module 3", "Module 3 in 4:3"],
)
def test_the_whole_view(sensor: str, size: tuple[int, int], view: list[int]) -> None:
    """The frames show all that the sensor sees and their shape has room for, however small they are."""
    seen, _ = run(f"""
        from picamera2 import BENCH
        BENCH.sensor = {sensor!r}
        PicameraCamera(width={size[0]}, height={size[1]}).close()
        print(json.dumps(BENCH.log[1]["view"]))
    """)

    assert seen == view


def test_the_whole_view_where_memory_is_short() -> None:
    """Where the largest mode cannot even be tried, the whole view is read in a smaller one."""
    seen, log = run("""
        from picamera2 import BENCH
        BENCH.raw_px = 4 * 1920 * 1080
        with closing(PicameraCamera(width=512, height=384)) as camera:
            camera.read()
        print(json.dumps([BENCH.log[1]["sensor"], BENCH.log[1]["view"]]))
    """)

    assert seen == [{"output_size": [1640, 1232], "bit_depth": 10}, [0, 2, 3280, 2460]]
    assert log == "INFO Not every mode of the sensor can be tried: [Errno 12] Cannot allocate memory.\n"


@pytest.mark.parametrize(
    ("sensor", "view"), [("imx219", [1000, 752, 1280, 960]), ("imx708", [1152, 432, 2304, 1728])]
)
def test_stand_in_crops_like_the_real_one(sensor: str, view: list[int]) -> None:
    """Without a wish for the sensor, small frames show its middle only, in the stand-in as in picamera2."""
    seen, _ = run(f"""
        from picamera2 import BENCH, Picamera2
        BENCH.sensor = {sensor!r}
        camera = Picamera2()
        camera.configure(camera.create_video_configuration(main={{"size": (512, 384), "format": "BGR888"}}))
        camera.close()
        print(json.dumps(BENCH.log[1]["view"]))
    """)

    assert seen == view


def test_silent_camera_is_opened_anew() -> None:
    """A camera that fell silent ends the wait, and the next read opens it anew; the log has one line each."""
    seen, log = run("""
        from picamera2 import BENCH
        camera = PicameraCamera(width=64, height=48, timeout_s=0.2)
        first = outcome(camera.read)
        BENCH.is_silent = True
        silent = [outcome(camera.read) for _ in range(2)]
        BENCH.is_silent = False
        back = [outcome(camera.read) for _ in range(2)]
        camera.close()
        print(json.dumps([first, silent, back, [entry for entry in BENCH.log if isinstance(entry, str)]]))
    """)

    timeout = ["CameraTimeout", "Pi camera 0 delivered no frame for 0.2 s. Check its ribbon cable."]
    opened = ["open", "close"]
    assert seen == [0, [timeout, timeout], [1, 2], opened * 3]
    assert log == (
        "WARNING Pi camera 0 is lost. Check its ribbon cable; it is being opened anew.\n"
        "INFO Pi camera 0 is back.\n"
    )


def test_a_late_frame_is_waited_for_on() -> None:
    """A read that waits for less than the time-out gives nothing up, until all of them together reach it."""
    seen, log = run("""
        from functools import partial
        from picamera2 import BENCH
        camera = PicameraCamera(width=64, height=48, timeout_s=0.3)
        briefly = partial(outcome, partial(camera.read, 0.2))
        first = briefly()
        BENCH.is_silent = True
        late = briefly()
        BENCH.is_silent = False
        back = briefly()
        opened = BENCH.log.count("open")
        BENCH.is_silent = True
        lost = [briefly() for _ in range(2)]
        BENCH.is_silent = False
        print(json.dumps([first, late, back, opened, lost, briefly(), BENCH.log.count("open")]))
    """)

    late, lost = (
        ["CameraTimeout", f"Pi camera 0 delivered no frame for {s} s. Check its ribbon cable."]
        for s in ("0.2", "0.3")
    )
    assert seen == [0, late, 1, 1, [late, lost], 2, 2]
    assert [line.split()[0] for line in log.splitlines()] == ["WARNING", "INFO"]


def test_camera_that_does_not_let_go() -> None:
    """A camera that never closes is given up after a while, and not waited for at the end."""
    seen, log = run("""
        from picamera2 import BENCH
        picamera.CLOSE_TIMEOUT_S = 0.1
        camera = PicameraCamera(width=64, height=48, timeout_s=0.2)
        BENCH.is_silent = BENCH.never_closes = True
        print(json.dumps([outcome(camera.read)[0], outcome(camera.read), outcome(camera.close)]))
    """)

    assert seen == [
        "CameraTimeout",
        [
            "CameraError",
            "Pi camera 0 cannot be used: Camera __init__ sequence did not complete. "
            "Close other programs, check its ribbon cable.",
        ],
        None,
    ]
    assert log == (
        "WARNING Pi camera 0 is lost. Check its ribbon cable; it is being opened anew.\n"
        "WARNING The Pi camera does not let go. Check its ribbon cable; a restart of the Pi may be needed.\n"
    )


def test_cable_pulled_and_plugged() -> None:
    """A camera that is gone at the reopening is an error each time, until it is there again."""
    seen, _ = run("""
        from picamera2 import BENCH
        camera = PicameraCamera(width=64, height=48, timeout_s=0.2)
        BENCH.is_silent, BENCH.cameras = True, 0
        gone = [outcome(camera.read) for _ in range(3)]
        BENCH.is_silent, BENCH.cameras = False, 1
        print(json.dumps([[kind for kind, _ in gone], outcome(camera.read)]))
        camera.close()
    """)

    assert seen == [["CameraTimeout", "CameraError", "CameraError"], 0]


@pytest.mark.parametrize(
    "raised",
    [
        'IndexError("list index out of range")',
        "RuntimeError('No camera number 0 found - use \"rpicam-hello --list-cameras\"')",
    ],
    ids=["older", "0.3.38"],
)
def test_no_camera(raised: str) -> None:
    """No camera on the cable is an error with advice and the exit code for missing hardware."""
    seen, _ = run(f"""
        from picamera2 import BENCH
        BENCH.cameras, BENCH.missing = 0, {raised}
        print(json.dumps([outcome(PicameraCamera), CameraError.exit_code]))
    """)

    message = "Pi camera 0 was not found. Check its ribbon cable (rpicam-hello --list-cameras)."
    assert seen == [["CameraError", message], 3]


def test_second_camera() -> None:
    """The number chooses the camera."""
    seen, _ = run("""
        from picamera2 import BENCH
        BENCH.cameras = 2
        camera = PicameraCamera(width=64, height=48, camera_index=1)
        print(json.dumps([camera.read().source, sorted(BENCH.in_use)]))
        camera.close()
    """)

    assert seen == ["Pi camera 1", [1]]


def test_camera_in_use() -> None:
    """A camera that something else uses is an error, and opens once that is gone."""
    seen, _ = run("""
        other = PicameraCamera(width=64, height=48)
        refused = outcome(lambda: PicameraCamera(width=64, height=48))
        other.close()
        camera = PicameraCamera(width=64, height=48)
        print(json.dumps([refused[0], outcome(camera.read)]))
        camera.close()
    """)

    assert seen == ["CameraError", 0]


def test_camera_without_rgb() -> None:
    """A USB camera, which libcamera cannot convert, is refused with the right back end, and let go."""
    seen, _ = run("""
        from picamera2 import BENCH
        BENCH.only_format = "YUYV"
        print(json.dumps([outcome(PicameraCamera), sorted(BENCH.in_use)]))
    """)

    message = (
        "Pi camera 0 cannot be used: it delivers YUYV only; a USB camera needs --camera webcam. "
        "Close other programs, check its ribbon cable."
    )
    assert seen == [["CameraError", message], []]


def test_closed_camera() -> None:
    """Closing again does nothing, also after a stall; a read after it is an error."""
    seen, _ = run("""
        from picamera2 import BENCH
        camera = PicameraCamera(width=64, height=48, timeout_s=0.2)
        BENCH.is_silent = True
        outcome(camera.read)
        closings = [outcome(camera.close), outcome(camera.close)]
        print(json.dumps([closings, outcome(camera.read), sorted(BENCH.in_use)]))
    """)

    message = "Pi camera 0 was closed. Open it again to read on."
    assert seen == [[None, None], ["CameraError", message], []]


def test_stand_in_blocks_like_the_real_one() -> None:
    """In the stand-in, as in picamera2, a capture that nobody cancels keeps stop() waiting for good."""
    seen, _ = run("""
        import threading
        from picamera2 import BENCH, Picamera2
        camera = Picamera2()
        camera.start()
        BENCH.is_silent = True
        job = camera.capture_array(wait=False)
        thread = threading.Thread(target=camera.stop, daemon=True)
        thread.start()
        thread.join(0.2)
        blocked = thread.is_alive()
        camera.cancel_all_and_flush()
        camera.close()
        print(json.dumps([blocked, camera.started]))
    """)

    assert seen == [True, False]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            "raise ModuleNotFoundError(\"No module named 'libcamera'\")",
            "The Pi camera needs picamera2 (No module named 'libcamera'). Run: sudo apt install "
            "python3-picamera2 --no-install-recommends, and make the venv with --system-site-packages.",
        ),
        (
            'raise ValueError("numpy.dtype size changed,\\n may indicate binary incompatibility.")',
            "picamera2 does not fit this numpy (numpy.dtype size changed, may indicate binary "
            "incompatibility). Use the system's: pip uninstall numpy.",
        ),
    ],
    ids=["no libcamera", "other numpy"],
)
def test_unusable_picamera2(tmp_path: Path, failure: str, message: str) -> None:
    """A picamera2 that cannot be imported is an error in one line with the command that helps."""
    (tmp_path / "picamera2").mkdir()
    (tmp_path / "picamera2" / "__init__.py").write_text(failure)

    seen, _ = run("print(json.dumps(outcome(PicameraCamera)))", modules=tmp_path)

    assert seen == ["CameraError", message]
