# shellcheck shell=bash
# Models compiled for the Edge TPU. A release's archive has them inside. A checkout has none, for they can only be compiled
# on x86: they come from the release of the checkout's own version, on GitHub, where its origin is.
#
# Never run with a real release, for none has been made. Without these models the CPU does the work, so nothing here
# stops the installation.

is_compiled() { # is_compiled MANIFEST…: one at least, by its own key; "training" may have one of that name further in
	grep -qs '^  "edgetpu": {' "$@"
}

model_plan() {
	if is_compiled "$SOURCE"/models/*.json; then
		say "compiled for the Edge TPU; the CPU's stands in"
	elif ! wants_compiled; then
		say "for the CPU"
	elif [ -n "$OFFLINE" ] && [ -d "$OFFLINE/models" ]; then
		say "compiled for the Edge TPU, from that folder; the CPU's stands in"
	elif [ -z "$OFFLINE" ] && [ -n "$(release_url)" ]; then
		say "compiled for the Edge TPU, if $(release_url) has it; the CPU's stands in"
	else
		say "for the CPU: this release has none compiled for the Edge TPU (docs/edge-tpu.md)"
	fi
}

wants_compiled() {
	[ "$CORAL" = yes ] && [ "$ARCH" = arm64 ]
}

release_url() { # nothing for a copy that doesn't come from GitHub; git itself may be missing, or refuse root
	local origin version
	[ -f "$SOURCE/.git/config" ] || return 0
	origin=$(sed -n '/^\[remote "origin"\]/,/^\[/s/^[[:space:]]*url = //p' "$SOURCE/.git/config" | head -n 1)
	version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$SOURCE/pi_mask/__init__.py")
	case "$origin" in
	https://github.com/*/* | git@github.com:*/* | ssh://git@github.com/*/*) origin=${origin#*github.com?} ;;
	*) return 0 ;;
	esac
	say "https://github.com/${origin%.git}/releases/download/v$version"
}

models_folder() { # where the program looks
	say "$ROOT$BASE"/venv/lib/python3*/site-packages/pi_mask/models
}

needs_small_model() { # no Edge TPU takes over, and the CPU is of before Armv8.2's dot products (all before the Pi 5)
	if wants_compiled && is_compiled "$SOURCE"/models/*.json "$(models_folder)"/*.json; then return 1; fi
	[ "$ARCH" != arm64 ] || ! grep -qsw asimddp "$ROOT/proc/cpuinfo"
}

install_models() {
	local target folder="$WORK/models" name
	target=$(models_folder)
	if ! wants_compiled || is_compiled "$SOURCE"/models/*.json; then return 0; fi
	if [ -z "$(plain_models "$target")" ]; then
		step "Models compiled for the Edge TPU: there already"
		return 0
	fi
	if [ -n "$OFFLINE" ]; then folder="$OFFLINE/models"; else fetch_models "$folder" || return 0; fi
	[ -d "$folder" ] || [ "$DRY_RUN$OFFLINE" = yes ] || return 0 # a bundle may have none
	want_restart
	for name in $(plain_models "$target"); do # the manifest last: it names the model
		run install -m 0644 "$folder/${name}_edgetpu.tflite" "$folder/$name.json" "$target"
	done
}

model_names() {
	local manifest
	for manifest in "$SOURCE"/models/*.json; do basename "$manifest" .json; done
}

plain_models() { # plain_models FOLDER: the names of those that are not compiled there
	local name
	for name in $(model_names); do
		is_compiled "$1/$name.json" || say "$name"
	done
}

fetch_models() { # fetch_models FOLDER: false without all of them, whole, and made of this checkout's own
	local url name
	url=$(release_url)
	[ -n "$url" ] || return 1
	step "Models compiled for the Edge TPU"
	run mkdir -p "$1"
	fetch "$url/SHA256SUMS" "$1/SHA256SUMS" || true
	for name in $(model_names); do
		fetch_model "$url" "$name" "$1" || return 1
	done
	run rm -f "$1/SHA256SUMS"
}

fetch_model() { # fetch_model URL NAME FOLDER
	local file problem=
	for file in "${2}_edgetpu.tflite" "$2.json"; do
		[ -n "$problem" ] || fetch "$1/$file" "$3/$file" || problem="could not be fetched"
		[ "$DRY_RUN" = yes ] || [ -n "$problem" ] || have_sha256 "$3/$file" "$(listed_sha256 "$3" "$file")" ||
			problem="is not the file that SHA256SUMS lists"
	done
	[ "$DRY_RUN" = yes ] || [ -n "$problem" ] || have_sha256 "$SOURCE/models/$2.tflite" "$(listed_sha256 "$3" "$2.tflite")" ||
		problem="was made of another $2.tflite than this folder's"
	[ -n "$problem" ] || return 0
	warn "The compiled $2 of $1 $problem. The CPU runs the model; run this again to try again."
	run rm -rf "$3"
	return 1
}

listed_sha256() { # listed_sha256 FOLDER FILE
	[ ! -f "$1/SHA256SUMS" ] || awk -v name="$2" '$2 == name { print $1 }' "$1/SHA256SUMS"
}
