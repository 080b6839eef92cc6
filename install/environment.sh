# shellcheck shell=bash
# The Python environment, and the installation for one user on a desktop.
#
# Each environment has a folder of its own, named by the checksum of all that goes into it. The link `venv` is set to
# it last. So a run that breaks off leaves the old one as it was, and "installed" means: the link points to the
# folder that this checkout would make, or to its second, made in place of a damaged one.

PYTHON=
PIP_SOURCE=()

fingerprint() { # fingerprint REQUIREMENTS PYTHON_VERSION
	(
		cd "$SOURCE" || exit
		printf '%s\n' "$2"
		cat "$1"
		if [ -n "$OFFLINE" ]; then cat "$OFFLINE"/wheels/pi_mask-*.whl; else sha256_of_tree pyproject.toml README.md LICENSE pi_mask models; fi
	) | sha256_of | cut -c 1-12
}

use_bundle() { # after this, pip takes everything from --offline's folder
	[ -n "$OFFLINE" ] || return 0
	PIP_SOURCE=(--no-index --find-links "$OFFLINE/wheels")
	[ "$DRY_RUN" = no ] || return 0
	(cd "$OFFLINE" && sha256_of --check SHA256SUMS) >>"$LOG" 2>&1 ||
		die 1 "$OFFLINE is damaged or incomplete. Fill a new folder with ./install.sh --download. The details are in $LOG."
}

pip_install() { # pip_install PYTHON ARGUMENT…: only what is pinned by checksum, only ready-made wheels
	local python="$1"
	shift
	try "The Python packages could not be installed. Check the network and the date, then run this again; what is done is kept." \
		"$python" -m pip install --disable-pip-version-check --no-input --no-deps --only-binary :all: --require-hashes \
		${PIP_SOURCE[@]+"${PIP_SOURCE[@]}"} "$@"
}

make_wheel() { # make_wheel PYTHON FOLDER: a wheel of this checkout, made without pip's unpinned build environment
	pip_install "$1" --target "$WORK/build" --requirement "$SOURCE/install/requirements/build.txt"
	try "This folder could not be packed. Unpack pi-mask again, whole." \
		env PYTHONPATH="$WORK/build" "$1" -m pip wheel --disable-pip-version-check --no-deps --no-index \
		--no-build-isolation --wheel-dir "$2" "$SOURCE"
}

make_environment() { # make_environment BASE REQUIREMENTS VENV_ARGUMENT…
	local base="$1" requirements="$SOURCE/install/requirements/$2.txt" name current folder wheels="$WORK"
	shift 2
	name=unknown # a dry run on a fresh computer has no Python yet
	if command -v "$PYTHON" >/dev/null; then name=$(fingerprint "$requirements" "$(python_version "$PYTHON")"); fi
	current=$(readlink "$base/venv" 2>/dev/null) || true
	if [ "${current%-2}" != "$name" ]; then
		refuse_other_version "$base"
	elif is_whole "$base/$current"; then
		step "Python environment: complete already"
		return 0
	elif [ "$current" = "$name" ]; then
		name="$name-2" # the damaged one may do for most things, and without the network there is no other
	fi
	folder="$base/$name"
	step "Python environment in $base (minutes)"
	run rm -rf "$folder"
	try "$PYTHON could not make an environment. Install python3-venv, then run this again." \
		"$PYTHON" -m venv "$@" "$folder"
	pip_install "$folder/bin/python" --requirement "$requirements"
	if [ -n "$OFFLINE" ]; then wheels="$OFFLINE/wheels"; else make_wheel "$folder/bin/python" "$WORK"; fi
	install_wheel "$folder" "$wheels"
	[ "$DESKTOP" = yes ] || want_restart
	run sync # a power cut must not leave the link, and half of what it leads to
	run ln -sfn "$name" "$base/venv"
}

install_wheel() { # install_wheel ENVIRONMENT FOLDER_WITH_WHEEL
	try "pi-mask itself could not be installed. Run this again." \
		"$1/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --no-index "$2"/pi_mask-*.whl
	runs "$1" || die 1 "What was installed does not run on this computer. Please report it with the log, $LOG."
}

runs() { # runs ENVIRONMENT: one made-up frame through the real model: OpenCV, numpy and LiteRT load and fit each other
	run "$1/bin/pi-mask" bench --frames 1 --threads 1 --accelerator cpu --config /dev/null
}

is_whole() { # is_whole ENVIRONMENT: it runs, and no model in it is damaged
	[ -x "$1/bin/pi-mask" ] && run "$1/bin/pi-mask" models && runs "$1"
}

is_settled() { # is_settled BASE: a plain run makes no environment beside a working one
	[ "$ACTION" = install ] && [ -x "$1/venv/bin/pi-mask" ]
}

refuse_other_version() { # refuse_other_version BASE: replacing a working one is for --upgrade
	local version
	is_settled "$1" || return 0
	version=$("$1/venv/bin/pi-mask" --version 2>/dev/null) || return 0 # its Python left with an upgrade of the system
	die 2 "Another version is installed ($version). To replace it, type the same with --upgrade."
}

require_installed() { # require_installed BASE
	[ "$ACTION" != upgrade ] || [ -x "$1/venv/bin/pi-mask" ] ||
		die 1 "There is nothing to upgrade in $1. Run ./install.sh without --upgrade."
}

remove_old_environments() { # remove_old_environments BASE: all but the linked one
	local folder current
	current=$(readlink "$1/venv") || return 0
	for folder in "$1"/[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]{,-2}; do
		if [ -d "$folder" ] && [ "$folder" != "$1/$current" ]; then run rm -rf "$folder"; fi
	done
}

check_home() {
	[ -n "${HOME-}" ] || die 1 "HOME is not set, so there is no folder to install in. Type the same with HOME=/home/you before it."
}

desktop_base() {
	printf '%s/pi-mask\n' "${XDG_DATA_HOME:-$HOME/.local/share}"
}

install_desktop() {
	local base
	check_home
	base=$(desktop_base)
	check_desktop
	is_settled "$base" || check_space "$base" 900
	require_installed "$base"
	PYTHON=$(find_python)
	say "Plan: pi-mask for $(id -un) on ${OS_NAME:-$KERNEL} ($ARCH)"
	say "  Python environment   $base (${PYTHON:-Python from apt})"
	say "  command              $HOME/.local/bin/pi-mask"
	[ -z "$OFFLINE" ] || say "  everything from      $OFFLINE"
	begin "$base/install.log"
	use_bundle
	provide_python
	make_environment "$base" desktop
	run mkdir -p "$HOME/.local/bin"
	run ln -sfn "$base/venv/bin/pi-mask" "$HOME/.local/bin/pi-mask"
	remove_old_environments "$base"
	say "Done. Next: pi-mask run --desktop"
	case ":$PATH:" in
	*":$HOME/.local/bin:"*) ;;
	*) say "$HOME/.local/bin is not on your PATH: log in again, or type $HOME/.local/bin/pi-mask." ;;
	esac
}

provide_python() { # a Python with venv: there, or from apt if we are root
	local python="${PYTHON:-python3}"
	if [ -n "$PYTHON" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then return 0; fi
	if ! command -v apt-get >/dev/null; then
		die 3 "Python 3.11 to 3.14 was not found. Install it from python.org, then run this again."
	fi
	if [ "$DRY_RUN" = no ] && [ "$(id -u)" != 0 ]; then
		die 3 "Python 3.11 or newer with venv was not found. Run: sudo apt install python3-venv; then this again."
	fi
	apt_install python3 python3-venv ca-certificates
	[ "$DRY_RUN" = yes ] || PYTHON=$(find_python)
	[ -n "$PYTHON" ] || [ "$DRY_RUN" = yes ] ||
		die 3 "${OS_NAME:-This system} has no Python 3.11 or newer. Use Debian 12, Ubuntu 24.04, or newer."
	PYTHON="${PYTHON:-python3}"
}

apt_install() { # apt_install PACKAGE…
	local options=(-o DPkg::Lock::Timeout=600) # the first boot's own upgrades may hold the lock for minutes
	if [ -n "$OFFLINE" ] && [ -f "$OFFLINE/debs/Packages" ]; then
		offline_apt_source
		# As root, because apt's own user may not look into a home folder; and the other sources' lists stay.
		options+=(-o "Dir::Etc::SourceList=$WORK/apt.list" -o Dir::Etc::SourceParts=/dev/null
			-o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0)
	elif [ -n "$OFFLINE" ]; then
		die 1 "Missing: $*. $OFFLINE has no packages for this system. Fill it on a Raspberry Pi with the same system, or go online once."
	fi
	step "Packages from apt: $*"
	# A power cut in the middle of apt leaves packages unpacked, and then apt refuses everything. Only apt waits for
	# the lock: dpkg would fail at once.
	run apt-get "${options[@]}" check ||
		try "dpkg could not finish what it had begun. Run: sudo dpkg --configure -a" dpkg --configure -a
	# A source of the owner's own that is broken, such as Google's old one for the Coral, need not be ours.
	run apt-get "${options[@]}" update || warn "apt could not read all its sources.${LOG:+ The details are in $LOG.}"
	try "apt could not install the packages. Check the network and the date, then run this again; what is done is kept." \
		env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install --yes --no-install-recommends "$@"
}

uninstall_desktop() {
	local base config
	check_home
	base=$(desktop_base)
	config="${XDG_CONFIG_HOME:-$HOME/.config}/pi-mask"
	say "Plan: remove $base and $HOME/.local/bin/pi-mask$([ "$PURGE" = no ] || say ", and $config")"
	begin
	run rm -rf "$base"
	run rm -f "$HOME/.local/bin/pi-mask"
	if [ "$PURGE" = yes ]; then run rm -rf "$config"; fi
	say "Done.$([ "$PURGE" = yes ] || say " Your configuration, if any, is in $config; --purge removes it.")"
}
