"""Make pictures, videos and a network camera for the camera tests."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

RED = (255, 0, 0)
SIZE = (64, 48)
"""Width and height of whatever is made here."""


def plain(colour: tuple[int, int, int] = RED, size: tuple[int, int] = SIZE) -> Any:
    """A picture of one colour, as RGB."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def noise(size: tuple[int, int] = SIZE) -> Any:
    """A picture that compresses badly, so that a part of its file is a part of its content."""
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)


def encoded(suffix: str, image: Any) -> bytes:
    """An RGB or grey array as the bytes of a picture file."""
    stored = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    is_written, buffer = cv2.imencode(suffix, stored)
    assert is_written
    return buffer.tobytes()


def save_picture(path: Path, image: Any) -> Path:
    """Write an array as a picture file of the kind that its name says."""
    path.write_bytes(encoded(path.suffix, image))
    return path


def save_video(path: Path, frames: int, fps: float = 10.0, colour: tuple[int, int, int] = RED) -> Path:
    """Write a video of one colour; its codec suits the kind of file that its name says."""
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, SIZE)
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(np.ascontiguousarray(plain(colour)[..., ::-1]))
    writer.release()
    return path


_MKV_BLOCK = re.compile(rb"\xa3(?:[\x81-\xff]|[\x40-\x7f].)\x81(..)[\x00\x80]", re.DOTALL)
"""A frame: its size in one byte or two, the track, milliseconds, flags."""


def unsteady(mkv: bytes, times_ms: Sequence[int]) -> bytes:
    """A short MKV of a steady video with another time for each frame; it says that it lasts so long."""
    changed = bytearray(mkv)
    for block, time_ms in zip(_MKV_BLOCK.finditer(mkv), times_ms, strict=True):
        struct.pack_into(">h", changed, block.start(1), time_ms)
    struct.pack_into(">d", changed, mkv.index(b"\x44\x89\x88") + 3, times_ms[-1])
    return bytes(changed)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(header: tuple[int, int, int, int], rows: bytes, *extra: bytes) -> bytes:
    """A PNG file of any kind: ``header`` is width, height, bit depth and colour type."""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)),
            *extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        ]
    )


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF segment that says how the camera was held."""
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0\x2a" + struct.pack(">IH", 8, 1) + tag + struct.pack(">I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


class NetworkCamera:
    """A camera on 127.0.0.1 that sends JPEGs for ever; it can stall, go away and come back."""

    def __init__(self, colour: tuple[int, int, int] = RED) -> None:
        self._jpeg = encoded(".jpg", plain(colour))
        self._flows = threading.Event()
        self._flows.set()
        self._is_gone = threading.Event()
        self._server = self._listen(0)
        self.port = self._server.server_port

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/video"

    def stall(self) -> None:
        """Keep the connection, send nothing more."""
        self._flows.clear()

    def resume(self) -> None:
        """Go on sending."""
        self._flows.set()

    def go_away(self) -> None:
        """Drop every connection and listen no more."""
        self._is_gone.set()
        self._flows.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def come_back(self) -> None:
        """Listen on the same port again."""
        self._is_gone.clear()
        self._server = self._listen(self.port)

    def close(self) -> None:
        """End it; it may be gone already."""
        if not self._is_gone.is_set():
            self.go_away()

    def _listen(self, port: int) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self._send))
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return server

    def _send(self, write: Callable[[bytes], Any]) -> None:
        length = len(self._jpeg)
        header = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n".encode()
        while not self._is_gone.wait(0.01):
            self._flows.wait()
            write(header + self._jpeg + b"\r\n")


def _handler(send: Callable[[Callable[[bytes], Any]], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                send(self.wfile.write)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
