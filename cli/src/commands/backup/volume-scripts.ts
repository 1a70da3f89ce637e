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

/** In the root of the file storage while its files are brought back. No organization can have such a name. */
const RESTORING = '.delos-restoring';
const OTHERS = `find . -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.delos*'`;

/**
 * Unpacks files of projects into the file storage. Files that are there already may be anybody's, so it is refused then; what an interrupted
 * restore has left is its own, and goes.
 */
export const unpackFilesScript = (volume: string): string => `set -eu
umask 002
cd ${volume}
if [ -e ${RESTORING} ]; then
  ${OTHERS} -exec rm -rf {} +
elif [ -n "$(${OTHERS} -print -quit)" ]; then
  echo "the file storage has files already, which a restore does not touch: move them away, or restore --without-files" >&2
  exit 1
fi
: >${RESTORING}
tar --extract --file=- --same-permissions --acls --xattrs --xattrs-include='user.*'`;

/** Says that all of it is there. */
export const commitFilesScript = (volume: string): string => `set -eu
cd ${volume}
sync
rm -f ${RESTORING}`;
