#!/usr/bin/env bash
# The installer and the service for real, in a clean Debian root: `make prove-desktop`, `make prove-pi` and
# `make prove-service` (root needed).
#
# desktop: Debian for this machine, ./install.sh --desktop, then `pi-mask detect --json` on a picture; the same from a
# folder that --download has filled, without the package index.
# pi: Debian for arm64 under qemu-user, with a made-up /proc/device-tree and a local archive of stand-ins for the three
# packages that only Raspberry Pi's archive has; ./install.sh twice, then the real arm64 LiteRT on a picture, then
# ./install.sh --uninstall --purge.
# service: Debian for this machine, booted by systemd-nspawn; the unit watches a film, survives a crash and a hang.
#
# SUITE (bookworm), MIRROR (this machine's own), KEEP=1 (leave the root there), BASE=DIR (start from a copy of a root that
# debootstrap has made). PIP_CERT, PIP_INDEX_URL and the proxy variables are passed on.
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
suite="${SUITE:-bookworm}"
# shellcheck disable=SC2016 # apt's own variable
mirror="${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' "Codename: $(lsb_release -sc 2>/dev/null || echo bookworm)" | sed -n 1p)}"
qemu=/usr/bin/qemu-aarch64-static
registered=

fail() {
	printf 'FAILED: %s\n' "$1" >&2
	exit 1
}

heading() {
	printf '\n== %s (%s s)\n' "$1" "$SECONDS"
}

make_root() { # make_root ARCHITECTURE
	heading "Debian $suite, $1"
	if [ -n "${BASE:-}" ]; then
		cp -a "$BASE/." "$root"
	else
		debootstrap --variant=minbase --arch "$1" "$suite" "$root" "$mirror"
	fi
	printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
	# A root that is thrown away need not be safe from power cuts; dpkg's syncing takes most of the time otherwise.
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	mkdir -p "$root/root/pi-mask"
	tar -C "$repository" --exclude __pycache__ -cf - install.sh install pi_mask models systemd pyproject.toml README.md \
		LICENSE docs | tar -C "$root/root/pi-mask" -xf -
	if [ -n "${PIP_CERT:-}" ]; then cp "$PIP_CERT" "$root/root/ca.pem"; fi
	ln -sfn /proc/self/fd "$root/dev/fd"
}

inside() { # inside COMMAND…: in the root, with nothing of this machine's environment but the way to the network
	env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		${PIP_CERT:+PIP_CERT=/root/ca.pem} ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
		${PIP_DEFAULT_TIMEOUT:+PIP_DEFAULT_TIMEOUT="$PIP_DEFAULT_TIMEOUT"} \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		chroot "$root" "$@"
}

native() { # a root for this machine
	make_root "$(dpkg --print-architecture)"
	mount -t proc proc "$root/proc"
}

installer() {
	inside /bin/bash -c 'cd /root/pi-mask && exec ./install.sh "$@"' install.sh "$@" || {
		tail -n 30 "$root"/var/log/pi-mask-install.log "$root"/root/.local/share/pi-mask/install.log 2>/dev/null || true
		fail "./install.sh $*"
	}
}

judge_picture() { # judge_picture PI_MASK
	heading "pi-mask detect --json"
	inside "$1" detect --json --threads 1 /root/pi-mask/docs/pictures/demo.jpg | tee "$work/detections"
	grep -q '"label": *"with_mask"' "$work/detections" || fail "no masked face was found"
}

register_qemu() { # so that the kernel runs arm64 programs; F: it keeps the interpreter open, the root needs no copy
	local registry=/proc/sys/fs/binfmt_misc
	[ -x "$qemu" ] || fail "$qemu is missing; apt install qemu-user-static"
	if [ ! -e "$registry/register" ]; then mount -t binfmt_misc binfmt_misc "$registry"; fi
	if grep -qs "interpreter $qemu" "$registry"/*; then return 0; fi
	registered="$registry/pi-mask-proof"
	printf '%s' ':pi-mask-proof:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$qemu"':F' >"$registry/register"
}

pretend_to_be_a_pi() { # nothing can be added to the real /proc, so it stands aside and links lead to it
	mkdir -p "$root/.proc" "$root/proc/device-tree"
	mount -t proc proc "$root/.proc"
	local name
	for name in self thread-self mounts filesystems stat version uptime loadavg sys meminfo; do
		ln -sfn "/.proc/$name" "$root/proc/$name"
	done
	printf 'Raspberry Pi 4 Model B Rev 1.5\0' >"$root/proc/device-tree/model"
	printf 'processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nFeatures\t: fp asimd evtstrm crc32 cpuid\n' \
		>"$root/proc/cpuinfo"
}

make_archive() { # the packages that Debian has not: empty but for their names
	local name archive="$root/srv/archive"
	mkdir -p "$archive"
	for name in python3-picamera2 python3-libcamera python3-lgpio; do
		if inside apt-cache show "$name" >/dev/null 2>&1; then continue; fi
		mkdir -p "$work/$name/DEBIAN" "$work/$name/usr/lib/python3/dist-packages"
		printf '"""A stand-in."""\n' >"$work/$name/usr/lib/python3/dist-packages/${name#python3-}.py"
		printf 'Package: %s\nVersion: 0\nArchitecture: arm64\nMaintainer: nobody <nobody@example.org>\nDescription: stand-in\n' \
			"$name" >"$work/$name/DEBIAN/control"
		dpkg-deb --build "$work/$name" "$archive/$name.deb" >/dev/null
	done
	(
		# shellcheck source=install/common.sh
		. "$repository/install/common.sh"
		# shellcheck source=install/bundle.sh
		. "$repository/install/bundle.sh"
		index_debs "$archive"
	)
	echo "deb [trusted=yes] file:/srv/archive ./" >"$root/etc/apt/sources.list.d/archive.list"
}

prove_desktop() {
	native
	heading "./install.sh --desktop"
	installer --desktop
	heading "again"
	installer --desktop
	judge_picture /root/.local/bin/pi-mask
	inside du -sm /root/.local/share/pi-mask
	heading "./install.sh --desktop --uninstall --purge"
	installer --desktop --uninstall --purge
	[ ! -e "$root/root/.local/share/pi-mask" ] || fail "something was left"
	heading "./install.sh --desktop --download /root/bundle"
	installer --desktop --download /root/bundle
	inside du -sm /root/bundle
	heading "./install.sh --desktop --offline /root/bundle"
	PIP_INDEX_URL=http://localhost:9 installer --desktop --offline /root/bundle
	judge_picture /root/.local/bin/pi-mask
}

prove_service() {
	command -v systemd-nspawn >/dev/null || fail "systemd-nspawn is missing; apt install systemd-container"
	native
	heading "systemd"
	inside apt-get -q update
	inside env DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends systemd
	heading "pi-mask in /opt, user and unit as install.sh makes them"
	inside env XDG_DATA_HOME=/opt /root/pi-mask/install.sh --desktop
	# shellcheck disable=SC2016 # expanded in the root
	inside /bin/bash -euc 'SOURCE=/root/pi-mask SERVICE=yes WATCHDOG=no
		. $SOURCE/install/common.sh; . $SOURCE/install/environment.sh; . $SOURCE/install/device.sh
		LOG=/root/user.log; make_user; install_service'
	write_stage
	umount "$root/proc"
	boot writable
	boot read-only --read-only
}

write_stage() { # a film of five minutes, mock pins, and what the container runs at its start
	inside /opt/pi-mask/venv/bin/python -c '
import cv2
picture = cv2.resize(cv2.imread("/root/pi-mask/docs/pictures/demo.jpg"), (640, 414))
film = cv2.VideoWriter("/opt/film.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, (640, 414))
for _ in range(3000):
    film.write(picture)
film.release()'
	mkdir -p "$root/etc/pi-mask"
	printf '%s\n' '[camera]' 'kind = "files"' 'source = "/opt/film.mp4"' 'realtime = true' '[indicator.gpio]' \
		'pin_factory = "mock"' 'relay_pin = 24' >"$root/etc/pi-mask/config.toml"
	cp "$repository/tests/install/prove_service.sh" "$root/opt/prove_service.sh"
	printf '[Service]\nType=oneshot\nExecStart=/bin/bash /opt/prove_service.sh %%i\n' \
		>"$root/etc/systemd/system/proof@.service"
	mkdir -p "$root/proof"
}

boot() { # boot NAME ARGUMENT…
	heading "booted, root $1"
	timeout 600 systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$root" \
		--bind "$work:/proof" "${@:2}" --boot "systemd.unit=proof@$1.service" </dev/null >"$work/console" 2>&1 || true
	cat "$work/$1.log" || tail -n 30 "$work/console"
	grep -q '^proven' "$work/$1.log" || fail "the service, root $1"
}

prove_pi() {
	register_qemu
	make_root arm64
	pretend_to_be_a_pi
	heading "systemd, which every Raspberry Pi OS has"
	inside apt-get -q update
	inside env DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends systemd
	make_archive
	heading "./install.sh"
	installer
	heading "again"
	installer
	judge_picture pi-mask
	check_device
	heading "./install.sh --uninstall --purge"
	installer --uninstall --purge
	if inside getent passwd pi-mask; then fail "the user was left"; fi
	if [ -e "$root/opt/pi-mask" ] || [ -e "$root/etc/pi-mask" ]; then fail "something was left"; fi
}

check_device() {
	heading "what is on the card"
	inside id pi-mask
	inside pi-mask config check /etc/pi-mask/config.toml
	grep -q '^name = "nano_320"$' "$root/etc/pi-mask/config.toml" || fail "a Pi 4 was not given the small model"
	inside /opt/pi-mask/venv/bin/python -c "
import ai_edge_litert, cv2, numpy, picamera2, platform
print(platform.machine(), platform.python_version(), 'numpy', numpy.__version__, numpy.__file__, 'OpenCV', cv2.__version__)"
	inside /opt/pi-mask/venv/bin/python -m pip list --local --disable-pip-version-check
	inside systemctl is-enabled pi-mask.service
	inside sha256sum /etc/udev/rules.d/60-pi-mask-edgetpu.rules
	inside du -sm /opt/pi-mask
	# What the unit starts must be there.
	local program
	program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$root/etc/systemd/system/pi-mask.service")
	inside test -x "$program" || fail "the service starts $program, which is not there"
}

clean_up() {
	mountpoint -q "$root/.proc" && umount "$root/.proc"
	mountpoint -q "$root/proc" && umount "$root/proc"
	if [ -n "$registered" ]; then echo -1 >"$registered"; fi
	rm -rf "$work"
	if [ -n "${KEEP:-}" ]; then echo "The root is in $root."; else rm -rf "$root"; fi
}

[ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root; sudo make prove-$1"
root=$(mktemp -d "${TMPDIR:-/tmp}/pi-mask-root.XXXXXX")
chmod 0755 "$root"
work=$(mktemp -d)
trap clean_up EXIT
"prove_$1"
heading "proven: $1 on Debian $suite"
