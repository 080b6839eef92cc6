# shellcheck shell=bash
# A folder with all that an installation without network needs: --download fills it, --offline uses it.

download_bundle() {
	local log="$TARGET.log"
	[ ! -e "$TARGET" ] || [ -f "$TARGET/SHA256SUMS" ] || is_begun ||
		die 2 "$TARGET has other things in it. Name a new or empty folder."
	PYTHON=$(find_python)
	[ -n "$PYTHON" ] || die 3 "Python 3.11 to 3.14 was not found here. Install it (Debian: python3-venv), then run this again."
	say "Plan: fetch into $TARGET"
	print_bundle_plan
	begin "$log"
	step "Python packages"
	run rm -rf "$TARGET/wheels" "$TARGET/debs" "$TARGET/models"
	run mkdir -p "$TARGET/wheels" "$TARGET/debs"
	try "Python's venv is missing. Run: sudo apt install python3-venv; then this again." "$PYTHON" -m venv "$WORK/venv"
	if [ "$DESKTOP" = yes ]; then
		download_wheels desktop
	else
		download_device_wheels
		download_edgetpu
		download_models
		download_debs
	fi
	make_wheel "$WORK/venv/bin/python" "$TARGET/wheels"
	run write_checksums "$TARGET"
	run rm -f "$log"
	local command=(sudo ./install.sh --offline)
	if [ "$DESKTOP" = yes ]; then command=(./install.sh --desktop --offline); fi
	say "Done. Copy this folder and $TARGET to the other computer, and run there: $(quoted "${command[@]}" "$(basename "$TARGET")")"
}

is_begun() { # empty, or what a download that broke off has left
	[ -z "$(find "$TARGET" -mindepth 1 -maxdepth 1 ! -name wheels ! -name debs ! -name models ! -name .SHA256SUMS)" ]
}

print_bundle_plan() {
	if [ "$DESKTOP" = yes ]; then
		say "  Python packages      for computers like this one ($KERNEL, $ARCH, Python $(python_version "$PYTHON"))"
		return 0
	fi
	say "  Python packages      for Raspberry Pi OS Bookworm (64 and 32-bit) and Trixie (64-bit)"
	[ "$CORAL" = no ] || say "  Edge TPU driver      for both, 64-bit"
	if has_pi_archive; then
		say "  packages from apt    for $OS_NAME ($ARCH), as on this Pi"
	else
		say "  packages from apt    none: only a Raspberry Pi has its archive. The other Pi must have $(device_packages)"
	fi
}

has_pi_archive() {
	[ -n "$BOARD" ] && command -v apt-get >/dev/null
}

download_wheels() { # download_wheels REQUIREMENTS PIP_ARGUMENT…
	local requirements="$SOURCE/install/requirements/$1.txt"
	shift
	try "The Python packages could not be fetched. Check the network and the date, then run this again." \
		"$WORK/venv/bin/python" -m pip download --disable-pip-version-check --no-input --no-deps --only-binary :all: \
		--require-hashes --dest "$TARGET/wheels" "$@" --requirement "$requirements"
}

download_device_wheels() {
	# shellcheck disable=SC2046 # lists of words
	download_wheels pi-64 --python-version 3.11 --implementation cp $(platforms aarch64)
	# shellcheck disable=SC2046
	download_wheels pi-64 --python-version 3.13 --implementation cp $(platforms aarch64)
	# shellcheck disable=SC2046
	download_wheels pi-32 --python-version 3.11 --implementation cp $(platforms armv7l)
}

platforms() { # platforms MACHINE: what Bookworm's glibc 2.36 can run; pip takes only what is named
	local minor
	for minor in 36 35 34 31 28 27 17; do printf -- '--platform manylinux_2_%s_%s ' "$minor" "$1"; done
	printf -- '--platform manylinux2014_%s' "$1"
}

download_edgetpu() {
	local codename
	[ "$CORAL" = yes ] || return 0
	step "Edge TPU driver"
	for codename in bookworm trixie; do fetch_edgetpu "$codename" "$TARGET/debs" || true; done
}

download_models() {
	if [ "$CORAL" = no ] || is_compiled "$SOURCE"/models/*.json; then return 0; fi
	fetch_models "$TARGET/models" || true
}

download_debs() { # everything below our packages, as if this Pi had nothing: the other one may have less
	has_pi_archive || return 0
	step "Packages from apt"
	run mkdir -p "$TARGET/debs/partial"
	run cp /dev/null "$WORK/status"
	# shellcheck disable=SC2046 # a list of words
	try "apt could not fetch the packages. Run: sudo apt update; then this again." \
		apt-get -o "Dir::State::status=$WORK/status" -o "Dir::Cache::archives=$TARGET/debs" -o Debug::NoLocking=1 \
		-o APT::Sandbox::User=root install --yes --no-install-recommends --download-only $(device_packages)
	run rm -rf "$TARGET/debs/partial" "$TARGET/debs/lock"
	run index_debs "$TARGET/debs"
}

index_debs() { # index_debs FOLDER: makes it an archive that apt can read
	local file
	for file in "$1"/*.deb; do
		case "$file" in *libedgetpu1-std*) continue ;; esac
		dpkg-deb --field "$file"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' \
			"$(basename "$file")" "$(wc -c <"$file" | tr -d ' ')" "$(sha256_of "$file" | cut -d ' ' -f 1)"
	done >"$1/Packages"
}

offline_apt_source() { # trusted, because SHA256SUMS has been checked, and apt checked the packages when they came
	[ "$DRY_RUN" = yes ] || printf 'deb [trusted=yes] file:%s ./\n' "${OFFLINE// /%20}/debs" >"$WORK/apt.list"
}

write_checksums() ( # write_checksums FOLDER
	cd "$1" || exit
	rm -f SHA256SUMS
	sha256_of_tree . >.SHA256SUMS
	mv .SHA256SUMS SHA256SUMS
)
