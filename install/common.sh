# shellcheck shell=bash
# Messages, and how commands are run.

# The tests put a made-up file system here; otherwise it is empty. Not PI_MASK_…: those names are settings.
# shellcheck disable=SC2034 # read by the other parts
ROOT="${INSTALL_ROOT:-}"
DRY_RUN=no
LOG=
WORK=

# What is installed is tried as it comes; a model that somebody has named for another purpose would fail it.
for setting in $(compgen -v PI_MASK_ || true); do unset "$setting"; done

say() {
	printf '%s\n' "$*"
}

warn() {
	printf 'Warning: %s\n' "$*" >&2
}

die() { # die CODE MESSAGE
	printf 'Error: %s\n' "$2" >&2
	exit "$1"
}

clean_up() {
	[ "$DRY_RUN" = yes ] || [ -z "$WORK" ] || rm -rf "$WORK"
}

unforeseen() { # a command failed that should not; a subshell leaves the message to the shell that waits for it
	[ "$BASH_SUBSHELL" = 0 ] || exit 1
	die 1 "Something unforeseen failed (${BASH_SOURCE[1]##*/}, line ${BASH_LINENO[0]}).${LOG:+ The details are in $LOG.} Run it again; if it stays, report it."
}

trap clean_up EXIT
trap 'exit 130' INT TERM
trap unforeseen ERR

absolute() { # absolute PATH: of a folder that may not exist yet
	local path="${1%/}"
	case "$path" in
	/* | "") printf '%s\n' "${path:-/}" ;;
	*) printf '%s/%s\n' "$PWD" "$path" ;;
	esac
}

quoted() { # the command as one could type it
	local word line=
	for word in "$@"; do
		line="$line $(printf '%q' "$word")"
	done
	printf '%s\n' "${line# }"
}

run() { # run COMMAND…: its output goes to the log, without one only its errors are shown; --dry-run shows the command
	if [ "$DRY_RUN" = yes ]; then
		say "    $(quoted "$@")"
		return 0
	fi
	if [ -z "$LOG" ]; then
		"$@" >/dev/null </dev/null
		return
	fi
	printf '\n$ %s\n' "$(quoted "$@")" >>"$LOG"
	"$@" >>"$LOG" 2>&1 </dev/null
}

try() { # try "what failed. What to do." COMMAND…
	local message="$1"
	shift
	run "$@" || die 1 "$message${LOG:+ The details are in $LOG.}"
}

fetch() { # fetch URL FILE: whoever calls it compares checksums
	# Without the times a server that is blocked or says nothing would hold up the installation for an hour, or for ever.
	run curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 --speed-time 30 --output "$2" "$1"
}

begin() { # begin [LOG]: from here on things are changed
	LOG="${1-}"
	if [ "$DRY_RUN" = yes ]; then
		WORK=/tmp/pi-mask-install
		say "What would be run:"
		return 0
	fi
	[ -z "$LOG" ] || { mkdir -p "$(dirname "$LOG")" && : >"$LOG"; } 2>/dev/null ||
		die 1 "$LOG cannot be written. Run it as the owner of that folder."
	WORK=$(mktemp -d)
}

step() {
	say "- $*"
}

sha256_of() { # sha256_of FILE…
	if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

sha256_of_tree() ( # sha256_of_tree PATH…: one line for each file, in the same order everywhere
	IFS=$'\n' # in a subshell, because of this
	set -f
	# shellcheck disable=SC2046 # a list of names
	sha256_of $(find "$@" -type f ! -name '*.pyc' ! -name '.*' | LC_ALL=C sort)
)

have_sha256() { # have_sha256 FILE SUM: is the file there, whole, and no other?
	[ -f "$1" ] && [ "$(sha256_of "$1" | cut -d ' ' -f 1)" = "$2" ]
}
