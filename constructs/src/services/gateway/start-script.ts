import {
  CERTIFICATE_PORT,
  CONFIG_FOLDER,
  GATEWAY_LIMITS,
  LATER_FOLDER,
  SERVED_FOLDER,
  TLS_FOLDER,
} from './caddyfile.ts';

export const START_SCRIPT = 'start.sh';
export const CERTIFICATE_CADDYFILE = 'certificate.Caddyfile';
export const CHECK_CADDYFILE = 'check.Caddyfile';
/** Metric: when the certificate ends, in seconds since 1970. */
export const CERTIFICATE_END = 'delos_gateway_certificate_end_timestamp_seconds';

/**
 * What the gateway is shown at each handshake: certificate and key, from a process of its own. Its files and connections
 * so do not count with those of the gateway, which may be at their limit. The path is known to these two alone.
 */
export const certificateCaddyfile = (): string => `{
	admin off
	persist_config off
	auto_https off
	log default {
		level ERROR
	}
}

http://127.0.0.1:${CERTIFICATE_PORT} {
	bind 127.0.0.1
	@certificate path /{$CERTIFICATE_PATH}
	handle @certificate {
		rewrite * /current.pem
		root * ${SERVED_FOLDER}
		file_server
	}
	handle {
		respond "not found" 404
	}
}
`;

/** Is loaded to see whether a certificate and a key are a pair. It serves nothing. */
export const checkCaddyfile = (): string => `{
	admin off
	persist_config off
	auto_https off
	log default {
		level ERROR
	}
}

https://127.0.0.1:0 {
	tls {$CHECKED}/tls.crt {$CHECKED}/tls.key
}
`;

/**
 * Starts Caddy, and beside it what answers its question for the certificate.
 *
 * Caddy reads certificates from files only with the rest of its configuration. A configuration that is loaded anew has
 * listening sockets of its own, and the kernel resets the connections that wait at the former ones. So nothing is loaded
 * anew: the gateway asks for the certificate, and a new one is put in the place of the former in one step, once it was
 * seen to be whole.
 * @see https://caddyserver.com/docs/caddyfile/directives/tls#http
 */
export const startScript = (): string => `#!/bin/sh
# Starts the gateway, and beside it what answers its question for the certificate.
gateway=$$
umask 077
CERTIFICATE_PATH=$(cat /proc/sys/kernel/random/uuid)
export CERTIFICATE_PATH

# The files of a Secret change all at once: they lie in a folder whose name is new each time.
version() {
	folder=${TLS_FOLDER}
	# What may come later stands above the other, once it is there.
	if [ -e ${LATER_FOLDER}/tls.crt ] && [ -e ${LATER_FOLDER}/tls.key ]; then folder=${LATER_FOLDER}; fi
	dirname "$(readlink -f "$folder/tls.crt")"
}

# When the first certificate of a file ends, in seconds since 1970: the second time that stands in it (RFC 5280, 4.1.2.5).
end_of() {
	pem=$(sed -n '/-BEGIN CERTIFICATE-/,/-END/ { /^-/d; p; }; /-END/q' "$1" | tr -d '\\r')
	time=$(echo "$pem" | base64 -d | tr -c '0-9Z' '\\n' | grep -oE '[0-9]{12,14}Z' | sed -n 2p)
	[ "\${#time}" = 15 ] || time=20$time
	date -u -d "$(echo "$time" | sed -E 's/(....)(..)(..)(..)(..)(..)Z/\\1-\\2-\\3 \\4:\\5:\\6/')" +%s
}

tell() {
	cat >${SERVED_FOLDER}/next.txt <<-METRICS
		{{httpInclude "/metrics/caddy"}}
		# HELP ${CERTIFICATE_END} When the certificate ends that is shown
		# TYPE ${CERTIFICATE_END} gauge
		${CERTIFICATE_END} \${1:-NaN}
	METRICS
	mv ${SERVED_FOLDER}/next.txt ${SERVED_FOLDER}/metrics.txt
}

take() {
	CHECKED=$1 caddy validate --config ${CONFIG_FOLDER}/${CHECK_CADDYFILE} --adapter caddyfile || return 1
	{ cat "$1/tls.crt" && echo && cat "$1/tls.key"; } >${SERVED_FOLDER}/next.pem || return 1
	mv ${SERVED_FOLDER}/next.pem ${SERVED_FOLDER}/current.pem
	tell "$(end_of "$1/tls.crt")"
}

answer() {
	GOMAXPROCS=1 GOMEMLIMIT=24MiB caddy run --config ${CONFIG_FOLDER}/${CERTIFICATE_CADDYFILE} --adapter caddyfile &
	answering=$!
}

watch() {
	answer
	while kill -0 "$gateway" 2>/dev/null; do
		kill -0 "$answering" 2>/dev/null || answer
		now=$(version)
		if [ "$now" != "$seen" ]; then
			seen=$now
			if take "$now"; then echo "the certificate of $now is served" >&2; fi
		fi
		sleep 2
	done
	kill "$answering"
}

tell NaN
seen=$(version)
# One of them is always served.
take "$seen" || take "$(dirname "$(readlink -f ${TLS_FOLDER}/tls.crt)")"
watch &
ulimit -n ${GATEWAY_LIMITS.openFiles} && exec caddy run --config ${CONFIG_FOLDER}/Caddyfile --adapter caddyfile
`;
