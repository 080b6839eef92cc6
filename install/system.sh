# shellcheck shell=bash
# What this computer is, and whether pi-mask can run on it.

KERNEL=
OS_NAME=
CODENAME=
ARCH=
BOARD=
MEMORY_MB=
SWAP_MB=
THREADS=

detect() {
	KERNEL=$(uname -s)
	OS_NAME=$(os_field PRETTY_NAME)
	CODENAME=$(os_field VERSION_CODENAME)
	ARCH=$(architecture)
	BOARD=
	if [ -r "$ROOT/proc/device-tree/model" ]; then
		BOARD=$(tr -d '\0' <"$ROOT/proc/device-tree/model")
	fi
	MEMORY_MB=$(memory_mb MemTotal)
	SWAP_MB=$(memory_mb SwapTotal)
	if [ "${MEMORY_MB:-9999}" -lt 700 ]; then THREADS=1; fi
}

os_field() { # os_field NAME: from os-release, its quotes taken off
	if [ -r "$ROOT/etc/os-release" ]; then
		sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$ROOT/etc/os-release"
	elif [ "$1" = PRETTY_NAME ]; then
		uname -sr
	fi
}

architecture() {
	# A 64-bit kernel below a 32-bit userland is common on the Pi: dpkg knows what can be installed, uname does not.
	if [ "$KERNEL" = Linux ] && command -v dpkg >/dev/null; then # Homebrew's dpkg says darwin-arm64
		dpkg --print-architecture
		return
	fi
	case "$(uname -m)" in
	x86_64) say amd64 ;;
	aarch64 | arm64) say arm64 ;;
	*) uname -m ;;
	esac
}

memory_mb() { # memory_mb MemTotal|SwapTotal; nothing where there is no /proc
	[ ! -r "$ROOT/proc/meminfo" ] || awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "$ROOT/proc/meminfo"
}

python_version() { # python_version PYTHON: such as 3.11
	"$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

is_supported_python() { # is_supported_python 3.11: the versions that requirements/ has wheels for
	case "$1" in 3.11 | 3.12 | 3.13 | 3.14) return 0 ;; *) return 1 ;; esac
}

find_python() { # the first fitting Python on PATH; nothing without one
	local candidate
	for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
		if command -v "$candidate" >/dev/null && is_supported_python "$(python_version "$candidate")"; then
			command -v "$candidate"
			return 0
		fi
	done
}

check_board() {
	case "$BOARD" in
	*"Raspberry Pi"*) ;;
	*) die 3 "This is no Raspberry Pi${BOARD:+ but $BOARD}. On other computers type the same with --desktop." ;;
	esac
}

check_device() {
	check_board
	case "$CODENAME-$ARCH" in
	bookworm-arm64 | trixie-arm64 | bookworm-armhf) ;;
	trixie-armhf) die 3 "There is no LiteRT for 32-bit Trixie. Flash Raspberry Pi OS (64-bit), or 32-bit Bookworm." ;;
	*) die 3 "${OS_NAME:-This system} ($ARCH) cannot run pi-mask. Flash Raspberry Pi OS Bookworm or Trixie, best 64-bit." ;;
	esac
	if [ "$ARCH" = armhf ] && [ "$(uname -m)" = armv6l ]; then
		die 3 "The $BOARD is too old: LiteRT needs ARMv7. Use a Pi 3B+, 4, 5 or Zero 2 W."
	fi
	local version
	if [ -x "$ROOT/usr/bin/python3" ]; then
		version=$(python_version "$ROOT/usr/bin/python3") || version=unknown
		is_supported_python "$version" ||
			die 3 "/usr/bin/python3 is Python $version; pi-mask needs 3.11 or newer. Flash Raspberry Pi OS Bookworm or Trixie."
	fi
}

check_desktop() {
	case "$KERNEL-$ARCH" in
	Linux-amd64 | Linux-arm64 | Darwin-arm64) ;;
	Darwin-*) die 3 "There is no LiteRT for Macs with Intel processors. Use a Mac with Apple silicon, or Linux." ;;
	*) die 3 "There is no LiteRT for $KERNEL on $ARCH. Use 64-bit Debian or Ubuntu, or macOS on Apple silicon." ;;
	esac
}

check_root() {
	[ "$DRY_RUN" = yes ] || [ "$(id -u)" = 0 ] ||
		die 1 "This needs root. Run: sudo $COMMAND (add --dry-run to see what it would do)."
}

check_space() { # check_space FOLDER MEGABYTES
	local folder="$1" free
	while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
	free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge "$2" ] ||
		die 1 "Only $free MB are free on $folder, $2 MB are needed. Delete something, or take a larger card; then run this again."
}

warn_of_little_memory() {
	[ -n "$THREADS" ] || return 0
	warn "$MEMORY_MB MB of memory: pi-mask is set to one thread. Use the Lite edition of the system, without a desktop."
	if [ "$((MEMORY_MB + ${SWAP_MB:-0}))" -lt 700 ]; then
		if [ "$CODENAME" = bookworm ]; then
			warn "There is little swap. Set CONF_SWAPSIZE=512 in /etc/dphys-swapfile, then restart."
		else
			warn "There is little swap. Give it 512 MB in /etc/rpi/swap.conf, then restart."
		fi
	fi
}
