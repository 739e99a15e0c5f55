#!/bin/sh
# The user of the service, and the unit. It is not started: it needs keys first.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers clerkgate.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart clerkgate.service
fi
