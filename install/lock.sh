#!/usr/bin/env bash
# Writes requirements/*.txt: the exact Python packages with all their checksums, as PyPI publishes them.
# Needs uv (from PyPI). Run it to take newer versions, then run the tests, `make prove-desktop` and `make prove-pi`.
set -euo pipefail
cd "$(dirname "$0")"

compile() { # compile NAME "what it is for" ARGUMENTS: requirements on standard input
	local name="$1" purpose="$2"
	shift 2
	{
		printf '# %s\n# Written by install/lock.sh; do not edit.\n' "$purpose"
		uv pip compile --quiet --no-header --no-annotate --generate-hashes --only-binary :all: "$@" -
	} >"requirements/$name.txt.part"
	mv "requirements/$name.txt.part" "requirements/$name.txt"
}

# uv overlooks that backports.strenum 1.3.1, which LiteRT asks for, refuses Python 3.11; pip takes 1.2.8.
litert_extra='backports-strenum==1.2.8'
everywhere='gpiozero>=2.0.1,<3
click>=8.1
pydantic>=2.7,<3
tomlkit>=0.13.3,<1'

# LiteRT 2.2.0 is what public installers pair with libedgetpu 16.0tf2.19.1. OpenCV 4.11.0.86 is the last that takes
# Bookworm's numpy 1.24.2 and takes Trixie's 2.2.4 as well. numpy itself comes from apt, for picamera2's sake, hence it
# is bounded here and not emitted. ml-dtypes 0.5.4 serves both Pythons.
compile pi-64 "Raspberry Pi OS, 64-bit: Bookworm (Python 3.11) and Trixie (Python 3.13)." \
	--python-version 3.11 --python-platform aarch64-manylinux_2_36 --no-emit-package numpy <<EOF
$everywhere
$litert_extra
ai-edge-litert==2.2.0
opencv-python-headless==4.11.0.86
ml-dtypes==0.5.4
numpy==1.24.2
EOF

# uv does not know armv7l; the versions are resolved for aarch64, and the checksums cover every wheel of a version.
# numpy and OpenCV come from apt: PyPI has no OpenCV for armv7l.
compile pi-32 "Raspberry Pi OS Bookworm, 32-bit (Python 3.11)." \
	--python-version 3.11 --python-platform aarch64-manylinux_2_36 --no-emit-package numpy <<EOF
$everywhere
tflite-runtime==2.14.0
numpy==1.24.2
EOF

# One set for all: numpy below 2.5, which left Python 3.11 behind.
compile desktop "Linux on x86-64 and 64-bit Arm, macOS on Apple silicon: Python 3.11 to 3.14." \
	--python-version 3.11 --universal <<EOF
$everywhere
$litert_extra
ai-edge-litert>=2.2
opencv-python-headless>=4.12,<5
numpy>=2,<2.5
EOF

compile build "What makes a wheel of the checkout." --python-version 3.11 --universal <<EOF
hatchling>=1.27
EOF
