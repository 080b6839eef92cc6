#!/bin/bash
# Lies on the card's boot partition. --enable plants a service that runs this again once there is a network, and at
# every boot until it has succeeded; --now starts it at once.
set -euo pipefail
card=$(cd "$(dirname "$0")" && pwd)
root="${INSTALL_ROOT:-}"
service=pi-mask-firstboot.service

if [ "${1:-}" = --enable ]; then
	mkdir -p "$root/etc/systemd/system"
	cat >"$root/etc/systemd/system/$service" <<EOF
[Unit]
Description=Installation of pi-mask at the first boot
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=1d
StartLimitBurst=20

[Service]
Type=oneshot
ExecStart=/bin/bash $card/pi-mask-firstboot.sh
Restart=on-failure
RestartSec=60

[Install]
WantedBy=multi-user.target
EOF
	systemctl daemon-reload || true
	systemctl enable "$service"
	if [ "${2:-}" = --now ]; then systemctl start --no-block "$service"; fi
	exit 0
fi

# A Pi has no clock of its own: until the network has told the time, every certificate is "not yet valid". The
# failure is then the same as without a network, and a minute later the service tries again.
source="$root/usr/local/src/pi-mask"
mkdir -p "$source"
tar -xzf "$card/pi-mask.tar.gz" -C "$source"
offline=()
if [ -d "$card/pi-mask-offline" ]; then offline=(--offline "$card/pi-mask-offline"); fi
{
	date
	bash "$source/install.sh"@OPTIONS@ ${offline[@]+"${offline[@]}"}
} 2>&1 | { tee -a "$card/pi-mask-install.log" || true; } # a full card takes no log, and is no failed installation
systemctl disable "$service"
