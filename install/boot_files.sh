# shellcheck shell=bash
# What makes a freshly flashed card install pi-mask by itself at its first boot.
#
# Both ways run the same script on the card, pi-mask-firstboot.sh: Trixie's cloud-init by `user-data`, Bookworm by the
# firstrun.sh that the kernel's command line names. If Raspberry Pi Imager has put its own there, a line is added to it.

CARD_SOURCE="install.sh install pi_mask models systemd pyproject.toml README.md LICENSE docs"

write_boot_files() {
	say "Plan: write into $TARGET"
	say "  pi-mask.tar.gz, pi-mask-firstboot.sh${OFFLINE:+, pi-mask-offline/}"
	say "  user-data (Trixie), firstrun.sh (Bookworm)"
	begin
	try "$TARGET cannot be made. Name the card's boot partition." mkdir -p "$TARGET"
	# shellcheck disable=SC2086 # a list of words
	try "The program could not be packed for the card. Is the card full?" \
		tar -C "$SOURCE" --exclude __pycache__ -czf "$TARGET/pi-mask.tar.gz" $CARD_SOURCE
	run rm -rf "$TARGET/pi-mask-offline" # an earlier one would be installed from, in place of this folder
	if [ -n "$OFFLINE" ]; then
		try "$OFFLINE could not be copied to the card. Is the card full?" cp -R "$OFFLINE" "$TARGET/pi-mask-offline"
	fi
	if [ "$DRY_RUN" = yes ]; then return 0; fi
	sed "s/@OPTIONS@/$(card_options)/" "$SOURCE/install/firstboot.sh" >"$TARGET/pi-mask-firstboot.sh"
	write_user_data
	write_firstrun
	name_firstrun
	say "Done. Put the card into the Pi, with network, camera and power. After some 10 minutes pi-mask runs; what happened"
	say "is then in pi-mask-install.log on the card. Name, Wi-Fi and SSH are Imager's part: set them before this."
}

card_options() {
	if [ "$SERVICE" = no ]; then printf ' --no-service'; fi
	if [ "$CORAL" = no ]; then printf ' --no-coral'; fi
	if [ "$WATCHDOG" = yes ]; then printf ' --hardware-watchdog'; fi
}

write_user_data() {
	local file="$TARGET/user-data" line='[bash, /boot/firmware/pi-mask-firstboot.sh, --enable, --now]'
	if [ ! -e "$file" ]; then printf '#cloud-config\n' >"$file"; fi
	if grep -q 'pi-mask-firstboot' "$file"; then return 0; fi
	head -n 1 "$file" | grep -q '^#cloud-config' ||
		die 1 "$file is no cloud-config. Remove it, or add to it: bash /boot/firmware/pi-mask-firstboot.sh --enable --now"
	if grep -q '^runcmd:' "$file"; then
		grep -q '^runcmd:[[:space:]]*\(#.*\)\{0,1\}$' "$file" ||
			die 1 "$file has its runcmd on one line. Add to it: $line"
		# A list's items all stand as far to the right as the first one.
		awk -v line="$line" '
			waiting && /^ *- / { match($0, /^ */); printf "%s- %s\n", substr($0, 1, RLENGTH), line; waiting = 0 }
			/^[a-z]/ { waiting = /^runcmd:/ }
			{ print }
		' "$file" >"$file.part"
		mv "$file.part" "$file"
	else
		printf '\nruncmd:\n  - %s\n' "$line" >>"$file"
	fi
	grep -q 'pi-mask-firstboot' "$file" || die 1 "$file has an empty runcmd. Remove that, then run this again."
}

write_firstrun() {
	local file="$TARGET/firstrun.sh"
	if [ ! -e "$file" ]; then
		cat >"$file" <<'EOF'
#!/bin/bash
# Runs once, before the network is up; then the Pi restarts.
card=$(cd "$(dirname "$0")" && pwd)
rm -f "$card/firstrun.sh"
sed -i -E 's/ ?systemd\.(run|run_success_action|unit)=[^ ]*//g' "$card/cmdline.txt"
exit 0
EOF
	fi
	if grep -q 'pi-mask-firstboot' "$file"; then return 0; fi
	# Before the end that removes the file. Without the word boot and slashes: Raspberry Pi OS rewrites those.
	awk '
		!done && (/^rm -f .*firstrun\.sh/ || /^exit 0/) {
			print "bash \"$(cd \"$(dirname \"$0\")\" && pwd)/pi-mask-firstboot.sh\" --enable"
			done = 1
		}
		{ print }
		END { exit !done }
	' "$file" >"$file.part" || die 1 "$file does not end as Imager's does. Add to it: bash /boot/firmware/pi-mask-firstboot.sh --enable"
	mv "$file.part" "$file"
}

name_firstrun() { # on a Bookworm card that Imager has not set up, nothing names firstrun.sh yet
	local file="$TARGET/cmdline.txt"
	[ -f "$file" ] && [ ! -e "$TARGET/meta-data" ] || return 0
	if grep -q 'systemd\.run=' "$file"; then return 0; fi
	printf '%s %s\n' "$(tr -d '\r\n' <"$file")" "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target" >"$file.part"
	mv "$file.part" "$file"
}
