/*
 * Scripts of the Pod that has the volume. They run as the service's own user. Their argument is a folder of the volume. `.` is the
 * volume itself. Its tar has no entry for `.`, because the folder belongs to somebody else.
 */

/** Unpacks beside the folder that is meant, which so is never half there; what fills the whole volume, into it. */
export const unpackScript = (volume: string): string => `set -eu
umask 077
cd ${volume}
into=$1
if [ "$1" = . ]; then
  find . -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
else
  into=$1.restoring
  rm -rf "$1" "$into"
  mkdir "$into"
fi
tar --extract --file=- --xattrs --xattrs-include='user.*' --directory="$into"`;

/** Gives what was unpacked its name. */
export const commitScript = (volume: string): string => `set -eu
cd ${volume}
sync
if [ "$1" != . ]; then
  mv "$1.restoring" "$1"
  sync
fi`;
