#!/usr/bin/env bash
# What `make prove-service` runs inside the booted container; $1 is "writable" or "read-only", the root's state.
set -uo pipefail
unit=pi-mask.service

show() {
	systemctl show "$unit" --property "$1" --value
}

fail() {
	printf 'FAILED: %s\n' "$1"
	systemctl status --no-pager --lines 40 "$unit"
	exit 1
}

await() { # await PROPERTY PATTERN: within two minutes
	local end=$((SECONDS + 120))
	# shellcheck disable=SC2053 # a pattern
	until [[ "$(show "$1")" == $2 ]]; do
		[ "$SECONDS" -lt "$end" ] || fail "$1 is $(show "$1"), not $2"
		sleep 0.2
	done
}

holds() { # holds FIELD VALUE: a line of the running process's status
	local found
	found=$(awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(show MainPID)/status")
	[ "$found" = "$2" ] || fail "$1 of the process is $found, not $2"
}

check_start() {
	systemctl start "$unit" || fail "it did not start"
	await StatusText "Watching*"
	holds Seccomp 2
	holds NoNewPrivs 1
	holds CapBnd 0000000000000000
	holds Uid "$(id -u pi-mask)"
	printf 'It says: %s\n' "$(show StatusText)"
}

check_end() { # check_end SIGNAL RESTARTS RESULT WORD: the process dies or hangs; the service comes back by itself
	local start=$SECONDS
	kill "-$1" "$(show MainPID)"
	await NRestarts "$2"
	await ActiveState active
	grep -q "$3" /run/pi-mask/failures || fail "$3 was not noted"
	journalctl --unit "$unit" --boot | grep -q "$4" || fail "the journal does not say: $4"
	printf 'After %s: watching again in %s s; noted: %s\n' "$1" "$((SECONDS - start))" "$3"
}

check_stop() {
	systemctl stop "$unit" || fail "it did not stop"
	[ "$(show Result)" = success ] || fail "its end was $(show Result)"
	[ ! -e /run/pi-mask ] || fail "/run/pi-mask was left"
	printf 'Stopped: %s\n' "$(show Result)"
}

main() {
	cd / || exit 1
	systemctl --version | head -n 1
	if [ "$1" = read-only ] && touch /etc/x 2>/dev/null; then fail "the root is writable"; fi
	check_start
	if [ "$1" = writable ]; then
		check_end SEGV 1 signal "Segmentation fault"
		check_end STOP 2 watchdog "Watchdog timeout"
	fi
	check_stop
	printf 'proven: %s\n' "$1"
}

(main "$@") >"/proof/$1.log" 2>&1
systemctl poweroff
