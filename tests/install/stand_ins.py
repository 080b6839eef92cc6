"""A made-up computer for install.sh: a root folder, and a PATH of stand-ins that note how they are called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pi_mask.settings import Settings, render_toml

SOURCE = Path(__file__).parents[2]
GENUINE = "the genuine driver"
PINS = {
    "bookworm": "46ab47310d6de120bda4678febe5eb6143f5c7d7dd17c0d017ae5f6cd67dfec5",
    "trixie": "df9e9b16c802f4e4ad6fd8d9d0866d25eff8ddef989813f398794546d267bd11",
}
# What the scripts use that changes nothing but the made-up root. Nothing else is on PATH.
TOOLS = """
    awk basename bash cat chmod cp cut date dirname env find flock grep gzip head ln ls mkdir mktemp mv
    readlink rm sed sort tail tar tee touch tr wc
"""

# Every stand-in notes its call, and fails if the call matches a line of $FAIL_AT.
NOTE = r"""#!/bin/bash
{ printf '%s' "$0"; for word in "$@"; do printf ' %s' "$word"; done; printf '\n'; } >>"$FAKE_STATE/calls"
while IFS= read -r pattern; do
    [[ "$0 $*" != *"$pattern"* ]] || { echo "made to fail" >&2; exit 100; }
done <"$FAKE_STATE/fail_at"
"""
PYTHON = r"""
case "$*" in
"-c import sys"*) cat "$FAKE_STATE/python_version" ;;
"-m venv "*)
    folder="${@: -1}"
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    ;;
*"pip wheel "*)
    while [ "$1" != --wheel-dir ]; do shift; done
    mkdir -p "$2"
    echo wheel >"$2/pi_mask-1-py3-none-any.whl"
    ;;
*"pip download "*)
    while [ "$1" != --dest ]; do shift; done
    echo "a package" >>"$2/package.whl"
    ;;
*"pi_mask-"*".whl")
    [ -e "${@: -1}" ] || exit 1
    folder="${0%/bin/python}"
    mkdir -p "$folder/lib/python3.11/site-packages/pi_mask/models"
    cp "$FAKE_STATE/manifest.json" "$folder/lib/python3.11/site-packages/pi_mask/models/model.json"
    cp "$FAKE_STATE/pi-mask" "$folder/bin/pi-mask"
    ;;
esac
"""
PI_MASK = r"""
case "$1 ${2-}" in
"config init") cp "$FAKE_STATE/config.toml" "$3" ;;
"--version "*) echo "pi-mask, version 0" ;;
"doctor ") echo "doctor: all fine" ;;
"bench --frames") [ -z "${PI_MASK_MODEL_NAME-}" ] ;;
esac
"""
BODIES = {
    "apt-get": r"""
if [[ " $* " == *" --download-only "* ]]; then
    for word in "$@"; do
        [[ "$word" != Dir::Cache::archives=* ]] || echo deb >"${word#*=}/one_1_arm64.deb"
    done
    exit 0
fi
if [[ " $* " == *" install "* ]]; then
    for word in "$@"; do [[ "$word" == -* ]] || echo "$word" >>"$FAKE_STATE/installed"; done
    [ ! -e "$FAKE_STATE/python_from_apt" ] || mv "$FAKE_STATE/python_from_apt" "${0%/*}/python3"
fi""",
    "curl": r"""
while [ "$1" != --output ]; do shift; done
case "$3" in
*/libedgetpu1-std_*) cat "$FAKE_STATE/driver" >"$2" ;;
*) cp "$FAKE_STATE/${3#https://}" "$2" || { echo "404" >&2; exit 22; } ;;
esac""",
    "df": 'printf "Filesystem 1024-blocks Used Available\\n/dev/x 9 9 %s\\n" "$(cat "$FAKE_STATE/free_kb")"',
    "dpkg": '[ "$1" != --print-architecture ] || cat "$FAKE_STATE/architecture"',
    "dpkg-deb": r"""
[ "$1" != --field ] || printf 'Package: one\n'
if [ "$1" = --extract ]; then
    mkdir -p "$3/usr/lib/aarch64-linux-gnu"
    cp "$2" "$3/usr/lib/aarch64-linux-gnu/libedgetpu.so.1.0"
fi""",
    "dpkg-query": 'if grep -qxs "${@: -1}" "$FAKE_STATE/installed"; then printf installed; else exit 1; fi',
    "getent": 'found=$(grep -E "^$1 $2(:|$)" "$FAKE_STATE/accounts") && echo "${found#* }"',
    "groupadd": 'echo "group ${@: -1}" >>"$FAKE_STATE/accounts"',
    "id": 'if [ "$1" = -u ]; then cat "$FAKE_STATE/uid"; else echo somebody; fi',
    "install": r"""
words=()
while [ $# -gt 0 ]; do
    case "$1" in -o | -g) shift ;; *) words+=("$1") ;; esac
    shift
done
exec "$REAL_INSTALL" "${words[@]}" """,
    "ldconfig": "",
    "python3": PYTHON,
    "sha256sum": r"""
for file in "$@"; do :; done
if [[ "$file" == *libedgetpu1-std*.deb ]] && [ "$(cat "$file")" = "the genuine driver" ]; then
    case "$file" in *bookworm*) pin=BOOKWORM ;; *) pin=TRIXIE ;; esac
    echo "$pin  $file"
else
    exec "$REAL_SHA256SUM" "$@"
fi""".replace("BOOKWORM", PINS["bookworm"]).replace("TRIXIE", PINS["trixie"]),
    "sync": "",
    "systemctl": "",
    "udevadm": "",
    "uname": r"""
case "$1" in -s) cat "$FAKE_STATE/kernel" ;; -m) cat "$FAKE_STATE/machine" ;; *) echo "Kernel 1" ;; esac""",
    "useradd": r"""
while [ $# -gt 1 ]; do
    case "$1" in --home-dir) home="$2" ;; --shell) shell="$2" ;; esac
    shift
done
echo "passwd $1:x:999:999::$home:$shell" >>"$FAKE_STATE/accounts" """,
    "userdel": 'sed -i "/^passwd $1:/d" "$FAKE_STATE/accounts"',
    "usermod": "",
}
OLD_CPU = "fp asimd evtstrm crc32 cpuid"  # of a Pi 4; a Pi 5 has asimddp among more
QUERIES = {"df", "dpkg-query", "getent", "id", "sha256sum", "uname"}


@dataclass
class Computer:
    """A made-up computer below a temporary folder; by default a Pi 4 with 64-bit Bookworm, seen by root."""

    folder: Path
    root: Path = field(init=False)
    bin: Path = field(init=False)
    state: Path = field(init=False)
    source: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root, self.bin, self.state = (self.folder / name for name in ("root", "bin", "state"))
        self.source = _unpacked(self.folder / "pi-mask")
        for path in (self.bin, self.state, self.root / "proc/device-tree", self.root / "etc"):
            path.mkdir(parents=True)
        for path in ("run/systemd/system", "usr/bin", "usr/local/bin", "opt", "home"):
            (self.root / path).mkdir(parents=True)
        for tool in TOOLS.split():
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        for name, body in BODIES.items():
            self.stand_in(self.bin / name, body)
        self.stand_in(self.root / "usr/bin/python3", PYTHON)
        self.stand_in(self.state / "pi-mask", PI_MASK)
        self.set(architecture="arm64", kernel="Linux", machine="aarch64", uid="0", free_kb="9000000")
        self.set(
            python_version="3.11", driver=GENUINE, calls="", fail_at="", manifest="", accounts="group video"
        )
        (self.state / "manifest.json").write_text('{\n  "edgetpu": null\n}\n')
        (self.state / "config.toml").write_text(render_toml(Settings()))  # what the real command writes
        self.is_board("Raspberry Pi 4 Model B Rev 1.5")
        self.has_os("bookworm")
        self.has_memory(3800, 100)
        self.has_cpu(OLD_CPU)

    def stand_in(self, path: Path, body: str) -> None:
        """Make a stand-in that notes its calls."""
        path.write_text(f"{NOTE}{body}\n")
        path.chmod(0o755)

    def set(self, **values: str) -> None:
        """Change what the stand-ins answer."""
        for name, value in values.items():
            (self.state / name).write_text(f"{value}\n" if value else "")

    def is_board(self, model: str) -> None:
        (self.root / "proc/device-tree/model").write_text(f"{model}\0")

    def has_os(self, codename: str, name: str = "Debian GNU/Linux") -> None:
        text = f'PRETTY_NAME="{name} ({codename})"\nID=debian\nVERSION_CODENAME={codename}\n'
        (self.root / "etc/os-release").write_text(text)

    def has_memory(self, total_mb: int, swap_mb: int) -> None:
        text = f"MemTotal: {total_mb * 1024} kB\nSwapTotal: {swap_mb * 1024} kB\n"
        (self.root / "proc/meminfo").write_text(text)

    def has_cpu(self, features: str) -> None:
        (self.root / "proc/cpuinfo").write_text(f"processor\t: 0\nFeatures\t: {features}\n")

    def without(self, *names: str) -> None:
        """Take commands away."""
        for name in names:
            (self.bin / name).unlink()

    def run(
        self, *arguments: str, script: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run install.sh, with more variables and with the calls noted from here on."""
        self.set(calls="")
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.root / "home"),
            "INSTALL_ROOT": str(self.root),
            "FAKE_STATE": str(self.state),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "REAL_INSTALL": str(shutil.which("install")),
            "REAL_SHA256SUM": str(shutil.which("sha256sum")),
            **variables,
        }
        command = [str(self.bin / "bash"), str(script or self.source / "install.sh"), *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=self.folder,
            timeout=120,
            check=False,
        )

    def install(self, *arguments: str) -> str:
        """Run install.sh, which must succeed, and return what it said."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr + self.log()
        return result.stdout + result.stderr

    def log(self) -> str:
        path = self.root / "var/log/pi-mask-install.log"
        return path.read_text() if path.exists() else ""

    def calls(self) -> list[str]:
        """What was called, questions apart, with the folders' names as on a real computer."""
        text = (self.state / "calls").read_text()
        text = re.sub(re.escape(str(self.folder)) + r"/tmp\.\w+", "WORK", text)  # noqa: S108 mktemp's names
        for path, name in ((self.root, ""), (self.bin, ""), (self.source, "SOURCE"), (self.folder, "FOLDER")):
            text = text.replace(f"{path}/" if path == self.bin else str(path), name)
        text = re.sub(r"/[0-9a-f]{12}\b", "/FINGERPRINT", text)
        return [line for line in text.splitlines() if self._matters(line)]

    def _matters(self, line: str) -> bool:
        asks = "-c import" in line or "--print-architecture" in line
        return line.split(maxsplit=1)[0] not in QUERIES and not asks

    def files(self) -> set[str]:
        """What is on the computer, apart from logs and locks, and without the fingerprints."""
        paths = (os.path.relpath(path, self.root) for path in self.root.rglob("*"))
        return {
            re.sub(r"/[0-9a-f]{12}\b", "/FINGERPRINT", path)
            for path in paths
            if not path.startswith(("var/log", "run/lock", "proc/"))
        }


def _unpacked(folder: Path) -> Path:
    """What somebody has unpacked: the installer whole, a program and a manifest in short.

    A copy, so that who edits the program while the tests run does not make it another version.
    """
    for name in ("install", "systemd"):
        shutil.copytree(SOURCE / name, folder / name)
    for name in ("install.sh", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, folder / name)
    for name in ("pi_mask/cli.py", "pi_mask/__pycache__/cli.pyc", "docs/service.md", "models/model.tflite"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("short")
    (folder / "models/model.json").write_text('{"edgetpu": null}')
    return folder
