#!/usr/bin/env bash
# Installs pi-mask. Its parts are in install/; docs/installation.md explains what goes where and why.
# Runs on macOS too, hence in the bash 3.2 that comes with it: no associative arrays, no mapfile.
set -eEuo pipefail

SOURCE=$(CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=install/common.sh
. "$SOURCE/install/common.sh"
# shellcheck source=install/system.sh
. "$SOURCE/install/system.sh"
# shellcheck source=install/environment.sh
. "$SOURCE/install/environment.sh"
# shellcheck source=install/device.sh
. "$SOURCE/install/device.sh"
# shellcheck source=install/edgetpu.sh
. "$SOURCE/install/edgetpu.sh"
# shellcheck source=install/models.sh
. "$SOURCE/install/models.sh"
# shellcheck source=install/bundle.sh
. "$SOURCE/install/bundle.sh"
# shellcheck source=install/boot_files.sh
. "$SOURCE/install/boot_files.sh"

usage() {
	cat <<'EOF'
Usage: ./install.sh [OPTION]…

Installs pi-mask as a service on a Raspberry Pi (3B+, 4, 5, Zero 2 W) with Raspberry Pi OS Bookworm or Trixie.
It may be run again at any time: it does what is missing, and nothing twice.

  --desktop         install for yourself on Debian, Ubuntu or macOS: no root, no service, no pins
  --upgrade         replace an installed version by the one in this folder; configuration and state stay
  --uninstall       remove the program; configuration and state stay
  --purge           with --uninstall: remove those too
  --no-service      install the command only; nothing starts at boot; an earlier service is removed
  --no-coral        leave out the Edge TPU's driver; the CPU runs the model; an earlier driver is removed
  --hardware-watchdog
                    let the Pi's own watchdog restart it when the whole system hangs
  --download DIR    fetch all that an offline installation needs into DIR; nothing is installed
  --offline DIR     install from DIR, without the network
  --boot-files DIR  write what makes a freshly flashed card install pi-mask by itself into DIR, best the card's
                    boot partition ("bootfs"); with --offline the card carries that folder too
  --dry-run         show the plan and every command; change nothing
  --help            this text

Exit codes: 0 fine · 1 failure · 2 wrong options · 3 this computer or its operating system cannot run it
EOF
}

COMMAND= # as it was typed
ACTION=install
DESKTOP=no
PURGE=no
SERVICE=yes
CORAL=yes
WATCHDOG=no
OFFLINE=
TARGET=

choose() { # choose ACTION: at most one of them
	[ "$ACTION" = install ] || wrong_usage "--$ACTION and --$1 do not go together. Choose one."
	ACTION="$1"
}

wrong_usage() {
	die 2 "$1 See ./install.sh --help."
}

parse_options() {
	while [ $# -gt 0 ]; do
		case "$1" in
		--download=* | --offline=* | --boot-files=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
		esac
		case "$1" in
		--download | --offline | --boot-files)
			case "${2-}" in
			"" | -*) wrong_usage "$1 needs a folder." ;;
			esac
			;;
		esac
		case "$1" in
		--desktop) DESKTOP=yes ;;
		--upgrade | --uninstall) choose "${1#--}" ;;
		--purge) PURGE=yes ;;
		--no-service) SERVICE=no ;;
		--no-coral) CORAL=no ;;
		--hardware-watchdog) WATCHDOG=yes ;;
		--dry-run) DRY_RUN=yes ;;
		--help | -h)
			usage
			exit 0
			;;
		--offline)
			OFFLINE=$(absolute "$2")
			shift
			;;
		--download | --boot-files)
			choose "${1#--}"
			TARGET=$(absolute "$2")
			shift
			;;
		*) wrong_usage "Unknown option: $1." ;;
		esac
		shift
	done
	check_options
}

check_options() {
	[ "$PURGE" = no ] || [ "$ACTION" = uninstall ] || wrong_usage "--purge goes with --uninstall only."
	[ "$DESKTOP" = no ] || [ "$ACTION" != boot-files ] || wrong_usage "--boot-files is for the Raspberry Pi, not for --desktop."
	[ "$DESKTOP$WATCHDOG" != yesyes ] || wrong_usage "--hardware-watchdog is for the Raspberry Pi, not for --desktop."
	[ "$SERVICE$WATCHDOG" != noyes ] || wrong_usage "--hardware-watchdog guards the service; leave out --no-service."
	[ ! -e "$TARGET" ] || [ -d "$TARGET" ] || wrong_usage "$TARGET is no folder. Name another."
	[ -z "$OFFLINE" ] || [ "$ACTION" != uninstall ] || wrong_usage "--uninstall needs no folder; leave out --offline."
	[ -z "$OFFLINE" ] || [ "$ACTION" != download ] || wrong_usage "--download needs the network; leave out --offline."
	[ -z "$OFFLINE" ] || [ -f "$OFFLINE/SHA256SUMS" ] ||
		wrong_usage "$OFFLINE is no folder that --download has filled (SHA256SUMS is missing). Fill it with ./install.sh --download."
}

main() {
	COMMAND=$(quoted ./install.sh "$@")
	parse_options "$@"
	detect
	case "$ACTION-$DESKTOP" in
	install-no | upgrade-no) install_device ;;
	install-yes | upgrade-yes) install_desktop ;;
	uninstall-no) uninstall_device ;;
	uninstall-yes) uninstall_desktop ;;
	download-*) download_bundle ;;
	boot-files-*) write_boot_files ;;
	esac
}

main "$@"
