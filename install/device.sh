# shellcheck shell=bash
# The installation on a Raspberry Pi: packages, user, environment, configuration, service.

BASE=/opt/pi-mask
CONFIG=/etc/pi-mask/config.toml
STATE=/var/lib/pi-mask
NO_SHELL=/usr/sbin/nologin
UNITS=/etc/systemd/system
WATCHDOG_CONFIG=/etc/systemd/system.conf.d/70-pi-mask-watchdog.conf
FIRST_BOOT=pi-mask-firstboot.service
DEVICE_LOG=/var/log/pi-mask-install.log
GROUPS_NEEDED="video gpio plugdev audio"
CHANGED=no # whether a running service has to start anew
RESTART_PENDING=restart-pending

device_requirements() {
	if [ "$ARCH" = armhf ]; then say pi-32; else say pi-64; fi
}

device_packages() { # what pip cannot supply, or what picamera2 needs in apt's version
	printf '%s ' curl ca-certificates python3 python3-venv python3-numpy python3-lgpio python3-libcamera python3-picamera2
	# PyPI has no OpenCV for 32-bit Arm.
	if [ "$ARCH" = armhf ]; then printf 'python3-opencv '; fi
	if [ "$CORAL" = yes ]; then printf 'libusb-1.0-0 '; fi
}

print_device_plan() {
	local missing
	missing=$(missing_packages)
	say "Plan: pi-mask on $BOARD, ${OS_NAME:-unknown system} ($ARCH), ${MEMORY_MB:-?} MB"
	say "  packages from apt    ${missing:-all there}"
	say "  Python environment   $BASE, with install/requirements/$(device_requirements).txt"
	say "  command              /usr/local/bin/pi-mask"
	say "  configuration        $CONFIG$([ ! -e "$ROOT$CONFIG" ] || say " (yours is kept)")"
	say "  Edge TPU driver      $(edgetpu_plan)"
	say "  model                $(model_plan)"
	if [ "$SERVICE" = yes ]; then
		say "  service              pi-mask, as user pi-mask (groups $GROUPS_NEEDED), state in $STATE"
	else
		say "  service              none$([ ! -e "$ROOT$UNITS/pi-mask.service" ] || say "; the one that is there is removed")"
	fi
	[ "$WATCHDOG" = no ] || say "  hardware watchdog    $WATCHDOG_CONFIG"
	[ -z "$OFFLINE" ] || say "  everything from      $OFFLINE"
}

install_device() {
	umask 022 # the user pi-mask has to read what root installs
	check_device
	check_root
	is_settled "$ROOT$BASE" || check_space "$ROOT$BASE" 700
	require_installed "$ROOT$BASE"
	print_device_plan
	warn_of_little_memory
	refuse_company
	begin "$ROOT$DEVICE_LOG"
	use_bundle
	install_packages
	# shellcheck disable=SC2034 # read by environment.sh
	PYTHON="$ROOT/usr/bin/python3"
	make_environment "$ROOT$BASE" "$(device_requirements)" --system-site-packages
	run ln -sfn "$BASE/venv/bin/pi-mask" "$ROOT/usr/local/bin/pi-mask"
	install_models
	write_config # knows by then whether a model is compiled
	install_edgetpu
	if [ "$SERVICE" = yes ]; then
		make_user
		install_service
	else
		remove_unit pi-mask.service
	fi
	if [ "$WATCHDOG" = yes ]; then install_watchdog; fi
	remove_old_environments "$ROOT$BASE" # last: until its restart the service may still load from there
	finish
}

refuse_company() { # two of us at once, such as the first boot's and the owner's, would spoil each other's work
	[ "$DRY_RUN" = no ] || return 0
	mkdir -p "$ROOT/run/lock"
	exec 9>"$ROOT/run/lock/pi-mask-install"
	flock --nonblock 9 || die 1 "Another installation is running. Wait until it has ended; its log is $DEVICE_LOG."
}

missing_packages() {
	local package
	for package in $(device_packages); do
		[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
	done
}

install_packages() {
	local missing
	missing=$(missing_packages)
	if [ "$ACTION" = upgrade ] && [ -z "$OFFLINE" ]; then missing=$(device_packages); fi
	if [ -z "$missing" ]; then
		step "Packages from apt: all there"
		return 0
	fi
	# shellcheck disable=SC2086 # a list of words
	apt_install $missing
}

write_config() {
	if [ -e "$ROOT$CONFIG" ]; then
		step "Configuration: $CONFIG is kept"
		run "$ROOT$BASE/venv/bin/pi-mask" config check "$ROOT$CONFIG" ||
			warn "$CONFIG does not fit this version. See: pi-mask config check $CONFIG"
		if [ "$CORAL" = no ] && grep -q '^accelerator = "auto"$' "$ROOT$CONFIG"; then
			warn "$CONFIG is yours and still looks for an Edge TPU, with the amber sign. Set accelerator = \"cpu\" under [model]."
		fi
		return 0
	fi
	step "Configuration: $CONFIG"
	local part="$ROOT$CONFIG.part" # what has its name is kept by the next run, so it gets that when it fits the board
	run install -d -m 0755 "$ROOT/etc/pi-mask"
	run rm -f "$part"
	try "The configuration could not be written. Run this again." \
		"$ROOT$BASE/venv/bin/pi-mask" config init "$part"
	if [ -n "$THREADS" ]; then run sed -i "s/^threads = .*/threads = $THREADS/" "$part"; fi
	if ! wants_compiled; then # "auto" would show the amber sign of a lost Edge TPU for ever
		run sed -i 's/^accelerator = "auto"$/accelerator = "cpu"/' "$part"
	fi
	if needs_small_model; then
		step "Model: nano_320, because this board's CPU runs it ([model] name in $CONFIG)"
		run sed -i 's/^name = ""$/name = "nano_320"/' "$part"
	fi
	run chmod 0644 "$part"
	run sync "$part"
	run mv "$part" "$ROOT$CONFIG"
}

make_user() {
	local group
	step "User pi-mask, without shell or password"
	for group in $GROUPS_NEEDED; do
		getent group "$group" >/dev/null || try "The group $group could not be made." groupadd --system "$group"
	done
	getent passwd pi-mask >/dev/null || try "The user pi-mask could not be made." \
		useradd --system --user-group --no-create-home --home-dir "$STATE" --shell "$NO_SHELL" pi-mask
	try "The user pi-mask could not be put into its groups." usermod --append --groups "${GROUPS_NEEDED// /,}" pi-mask
	run install -d -m 0750 -o pi-mask -g pi-mask "$ROOT$STATE"
}

is_booted() { # in an image that is being built, systemd does not run
	[ -d "$ROOT/run/systemd/system" ]
}

want_restart() { # before what the service runs is replaced: if the run breaks off, the next one has to restart it
	CHANGED=yes
	run touch "$ROOT$BASE/$RESTART_PENDING"
}

install_service() {
	local unit start=start
	step "Service pi-mask, starts at boot"
	run install -d -m 0755 "$ROOT$UNITS"
	for unit in "$SOURCE"/systemd/*.service; do
		if [ "$(cat "$unit")" != "$(cat "$ROOT$UNITS/${unit##*/}" 2>/dev/null)" ]; then want_restart; fi
	done
	run install -m 0644 "$SOURCE"/systemd/*.service "$ROOT$UNITS"
	if is_booted; then run systemctl daemon-reload; fi
	try "systemd did not take the service." systemctl enable pi-mask.service
	if [ "$CHANGED" = yes ] || [ -e "$ROOT$BASE/$RESTART_PENDING" ]; then start=restart; fi
	if is_booted; then
		run systemctl "$start" pi-mask.service || warn "The service did not start. See: journalctl -u pi-mask; pi-mask doctor"
	fi
	run rm -f "$ROOT$BASE/$RESTART_PENDING"
}

install_watchdog() {
	step "Hardware watchdog"
	run install -D -m 0644 "$SOURCE/systemd/hardware-watchdog.conf" "$ROOT$WATCHDOG_CONFIG"
	if is_booted; then run systemctl daemon-reexec; fi
}

finish() {
	[ "$DRY_RUN" = no ] || return 0
	say "Done."
	if ! is_compiled "$(models_folder)"/*.json; then
		say "There is no compiled Edge TPU model, so the CPU runs the model (docs/edge-tpu.md)."
	fi
	if "$ROOT$BASE/venv/bin/pi-mask" doctor --help >/dev/null 2>&1; then
		say "What pi-mask doctor says:"
		"$ROOT$BASE/venv/bin/pi-mask" doctor || true
	fi
	say "Next:"
	say "  1. Wire the lamps and the buzzer: docs/wiring.md."
	say "  2. Plug in the camera while the power is off, the Coral stick at any time."
	say "  3. At the door: sudo systemctl stop pi-mask, sudo pi-mask calibrate, sudo systemctl start pi-mask."
	say "  Anything wrong: pi-mask doctor, and journalctl -u pi-mask."
}

uninstall_device() {
	[ -e "$ROOT$BASE" ] || check_board # on a desktop nothing would be found, and that would look like success
	check_root
	say "Plan: remove the service, $BASE, /usr/local/bin/pi-mask, and the Edge TPU driver that install.sh has put there$(
		[ "$PURGE" = no ] || say ", $CONFIG, $STATE and the user pi-mask"
	)"
	refuse_company
	begin "$ROOT$DEVICE_LOG"
	remove_unit pi-mask.service
	if [ -e "$ROOT$UNITS/$FIRST_BOOT" ]; then
		remove_unit "$FIRST_BOOT"
		run rm -rf "$ROOT/usr/local/src/pi-mask" # put there by firstboot.sh
	fi
	if [ -e "$ROOT$WATCHDOG_CONFIG" ]; then
		run rm -f "$ROOT$WATCHDOG_CONFIG"
		if is_booted; then run systemctl daemon-reexec; fi
	fi
	remove_edgetpu
	run rm -rf "$ROOT$BASE"
	run rm -f "$ROOT/usr/local/bin/pi-mask"
	if [ "$PURGE" = yes ]; then
		purge_device
	else
		say "Done. $CONFIG and $STATE are kept; --purge removes them. Packages from apt stay."
	fi
}

remove_unit() { # remove_unit NAME
	[ -e "$ROOT$UNITS/$1" ] || return 0
	run systemctl disable --now "$1" || run systemctl disable "$1" || true
	run rm -f "$ROOT$UNITS/$1"
	if is_booted; then run systemctl daemon-reload; fi
}

purge_device() {
	run rm -rf "$ROOT/etc/pi-mask" "$ROOT$STATE" "$ROOT$UNITS/pi-mask.service.d"
	case "$(getent passwd pi-mask)" in
	"") ;;
	*":$STATE:$NO_SHELL") run userdel pi-mask || warn "The user pi-mask could not be removed." ;;
	*) warn "The user pi-mask is kept: its home or shell is not what install.sh sets, so it may be somebody's own." ;;
	esac
	run rm -f "$LOG" # last: whatever is run writes to it
	say "Done. Packages from apt stay."
}
