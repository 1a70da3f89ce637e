/** Where Secrets are mounted, each as a folder. */
export const SECRETS = '/etc/keycloak-secrets';
/** Key of the first administrator's secret. */
export const ADMIN_KEY = 'client-secret';

const BUILD_OPTIONS =
  '--db=postgres --health-enabled=true --metrics-enabled=true --http-relative-path=/auth --http-management-relative-path=/';

/**
 * Writes Keycloak's secrets to its configuration file, which lies in memory: Keycloak can read no file that holds one
 * secret alone. The file is one of Java's properties, with expressions, so a character that means something there is
 * refused. `KEYCLOAK_SECRETS` and `KEYCLOAK_CONF` name other places.
 */
export const CONFIGURATION = `umask 077
secrets=\${KEYCLOAK_SECRETS:-${SECRETS}}
conf=\${KEYCLOAK_CONF:-/run/keycloak/keycloak.conf}
option() {
  value=$(cat "$secrets/$2")
  case $value in
    '' | *[!A-Za-z0-9_.~+/=@%^,:-]*)
      echo "$secrets/$2 is empty or holds a character other than A-Z a-z 0-9 _ . ~ + / = @ % ^ , : -" >&2
      echo "put another value into the Secret, and restart this Pod" >&2
      exit 1 ;;
  esac
  printf '%s=%s\\n' "$1" "$value"
}
{
  option db-password database/password
  option bootstrap-admin-client-secret admin/${ADMIN_KEY}
} >"$conf"
`;

/**
 * Keycloak's build options are compiled in. Our image has that behind it; the upstream image is built here, in a copy,
 * since its own folder is read-only. The database may come up meanwhile: Keycloak itself would end without it, and be
 * started again ever more slowly.
 */
export const START = `#!/bin/sh
set -eu
. /etc/keycloak/configuration.sh
home=/opt/keycloak
if [ ! -e $home/delos-optimized ]; then
  home=/build/keycloak
  if [ ! -e $home/delos-optimized ]; then
    rm -rf $home
    cp -r /opt/keycloak $home
    $home/bin/kc.sh build ${BUILD_OPTIONS}
    touch $home/delos-optimized
  fi
fi
trap 'exit 143' TERM
until bash -c 'exec 3<>"/dev/tcp/$KC_DB_URL_HOST/$KC_DB_URL_PORT"' 2>/dev/null; do
  sleep 0.5 &
  wait $!
done
exec $home/bin/kc.sh --config-file="$conf" start --optimized
`;
