import { PORTS } from '../../base/names.ts';
import { CONFIG_FOLDER, GATEWAY_LIMITS, TLS_FOLDER } from './caddyfile.ts';

export const START_SCRIPT = 'start.sh';

/** As /proc/net/tcp writes it. */
const HTTPS_HEX = PORTS.https.toString(16).toUpperCase().padStart(4, '0');

/**
 * Starts Caddy, and has it load each new certificate while it serves. Caddy reads certificates when it loads its
 * configuration, which it does again when it is told by a signal: whoever is connected stays so, and whoever comes meets
 * the old certificate or the new one. Where it cannot load them (half of a pair, no file left) it goes on with what it
 * has, and is told again. What asks for a certificate at each handshake instead would wait with everybody else where the
 * connections are at their limit.
 * @see https://caddyserver.com/docs/command-line#signals
 */
export function startScript(): string {
  return `#!/bin/sh
# Starts the gateway, and has it load each new certificate while it serves.
caddy=$$

certificate() {
	cat ${TLS_FOLDER}/tls.crt ${TLS_FOLDER}/tls.key | sha256sum
}

# The sockets at which TLS is taken. Each configuration that Caddy loads has sockets of its own.
sockets() {
	grep -hE ':${HTTPS_HEX} [0-9A-F]+:0000 0A ' /proc/net/tcp /proc/net/tcp6 | while read -r _ _ _ _ _ _ _ _ _ socket _; do
		echo "$socket"
	done
}

tell() {
	before=$(sockets)
	kill -USR1 "$caddy"
	sleep 5
	after=$(sockets)
	for socket in $before; do
		case " $(echo $after) " in *" $socket "*) return 1 ;; esac
	done
	[ -n "$after" ]
}

watch() {
	while sleep 10 && kill -0 "$caddy"; do
		now=$(certificate)
		if [ "$now" = "$loaded" ]; then continue; fi
		if tell; then loaded=$now; fi
	done
}

loaded=$(certificate)
watch &
ulimit -n ${GATEWAY_LIMITS.openFiles} && exec caddy run --config ${CONFIG_FOLDER}/Caddyfile --adapter caddyfile
`;
}
