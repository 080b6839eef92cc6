# shellcheck shell=bash
# The Edge TPU's driver. Without it everything works on the CPU, so nothing here stops the installation.
#
# Google's driver of 2021 crashes with today's LiteRT; this is the maintained build, at standard clock. It is unpacked,
# not installed: the package asks for libgcc1, a name that Debian has given up, and forcing it in would leave apt with a
# broken dependency on somebody's Pi. The checksums were taken from public scripts, not from the maker's own page, and
# have not been compared with it.

EDGETPU_VERSION=16.0tf2.19.1-1
EDGETPU_URL=https://github.com/feranick/libedgetpu/releases/download/16.0TF2.19.1-1
EDGETPU_RULES=/etc/udev/rules.d/60-pi-mask-edgetpu.rules

edgetpu_package() { # edgetpu_package CODENAME: the file's name
	say "libedgetpu1-std_$EDGETPU_VERSION.$1_arm64.deb"
}

edgetpu_sha256() { # edgetpu_sha256 CODENAME
	case "$1" in
	bookworm) say 46ab47310d6de120bda4678febe5eb6143f5c7d7dd17c0d017ae5f6cd67dfec5 ;;
	trixie) say df9e9b16c802f4e4ad6fd8d9d0866d25eff8ddef989813f398794546d267bd11 ;;
	esac
}

edgetpu_folder() { # the first place that the loader looks at, so that it wins over Google's
	printf '%s/usr/local/lib/aarch64-linux-gnu\n' "$ROOT"
}

edgetpu_plan() {
	if [ "$CORAL" = no ]; then
		say "none$([ ! -e "$ROOT$EDGETPU_RULES" ] || say "; the one that is there is removed")"
	elif [ "$ARCH" != arm64 ]; then
		say "none: there is no maintained one for 32-bit; the CPU runs the model"
	else
		say "libedgetpu $EDGETPU_VERSION in /usr/local/lib, udev rules, group plugdev"
	fi
}

install_edgetpu() {
	if [ "$CORAL" = no ] && [ -e "$ROOT$EDGETPU_RULES" ]; then
		want_restart
		remove_edgetpu
	fi
	[ "$CORAL" = yes ] && [ "$ARCH" = arm64 ] || return 0
	local folder package
	folder=$(edgetpu_folder)
	package="$WORK/$(edgetpu_package "$CODENAME")"
	run install -D -m 0644 "$SOURCE/install/60-pi-mask-edgetpu.rules" "$ROOT$EDGETPU_RULES"
	if [ -e "$folder/libedgetpu.so.1" ] && [ "$(cat "$folder/libedgetpu.so.pi-mask" 2>/dev/null)" = "$(edgetpu_sha256 "$CODENAME")" ]; then
		step "Edge TPU driver: there already"
		return 0
	fi
	step "Edge TPU driver"
	fetch_edgetpu "$CODENAME" "$WORK" || return 0
	want_restart
	run dpkg-deb --extract "$package" "$WORK/edgetpu"
	run install -d -m 0755 "$folder"
	run install -m 0644 "$WORK/edgetpu/usr/lib/aarch64-linux-gnu/libedgetpu.so.1.0" "$folder/libedgetpu.so.1.0"
	run ln -sfn libedgetpu.so.1.0 "$folder/libedgetpu.so.1"
	run ldconfig
	run udevadm control --reload || true # no udev in an image that is being built
	run udevadm trigger --subsystem-match=usb || true
	run sync "$folder/libedgetpu.so.1.0" # a power cut must not leave the note, and half of the driver
	[ "$DRY_RUN" = yes ] || edgetpu_sha256 "$CODENAME" >"$folder/libedgetpu.so.pi-mask"
}

fetch_edgetpu() { # fetch_edgetpu CODENAME FOLDER: false, and a warning, without a whole and genuine file
	local file
	file="$2/$(edgetpu_package "$1")"
	if [ -n "$OFFLINE" ]; then
		run cp "$OFFLINE/debs/$(edgetpu_package "$1")" "$file" || true
	else
		fetch "$EDGETPU_URL/$(edgetpu_package "$1")" "$file" || true
	fi
	[ "$DRY_RUN" = no ] || return 0
	if have_sha256 "$file" "$(edgetpu_sha256 "$1")"; then return 0; fi
	if [ -e "$file" ]; then
		warn "The Edge TPU driver is not the file that was expected (its checksum differs); it is not used. The CPU runs the model."
	else
		warn "The Edge TPU driver could not be fetched. The CPU runs the model; run this again to have the driver."
	fi
	rm -f "$file"
	return 1
}

remove_edgetpu() { # the rules came first and go last, so they tell whether something is there
	local folder
	folder=$(edgetpu_folder)
	if [ -e "$folder/libedgetpu.so.pi-mask" ]; then
		run rm -f "$folder/libedgetpu.so.1.0" "$folder/libedgetpu.so.1" "$folder/libedgetpu.so.pi-mask"
		run ldconfig
	fi
	run rm -f "$ROOT$EDGETPU_RULES"
}
