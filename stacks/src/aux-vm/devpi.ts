import type { PartProps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import type { Programs } from './programs.ts';
import type { AuxVmSecrets } from './secrets.ts';
import { serviceUnit } from './unit.ts';
import { INDEX, LOOPBACK, WRITER } from './words.ts';

const NAME = 'delos-packages';
const ETC = '/etc/delos-aux/packages';
const OPT = '/opt/delos-aux/packages';

/** The index of Python packages. */
export function devpiPart(
  { packages }: AuxVmConfig,
  { password, registrySecret }: AuxVmSecrets,
  programs: Programs,
): PartProps {
  const tree = `${OPT}/devpi`;
  const prepare = `${ETC}/prepare.py`;
  const offline = packages.mirror === undefined ? ' --offline-mode' : '';
  const memory = '--argon2-memory-cost 64 --argon2-parallelism 1 --argon2-time-cost 1';
  return {
    name: 'packages',
    needs: [{ command: 'python3', package: 'python3' }],
    files: {
      [prepare]: { mode: 0o644, content: { text: PREPARE } },
      [`${ETC}/password`]: { mode: 0o600, content: { text: password } },
      [`${ETC}/secret`]: { mode: 0o600, content: { text: registrySecret } },
    },
    trees: { [tree]: programs.devpi },
    units: [
      serviceUnit({
        name: NAME,
        idea: 'Delos: index of Python packages',
        prepare: `/usr/bin/python3 ${prepare}`,
        exec: `/usr/bin/python3 -c "from devpi_server.main import main; main()" --serverdir /var/lib/${NAME}/server --role standalone --host 127.0.0.1 --port ${LOOPBACK.packages} --secretfile /tmp/delos/secret --restrict-modify ${WRITER} --keyfs-cache-size 2000 ${memory}${offline}`,
        port: LOOPBACK.packages,
        data: true,
        secrets: { password: `${ETC}/password`, secret: `${ETC}/secret` },
        environment: {
          PYTHONPATH: tree,
          PYTHONUNBUFFERED: '1',
          PYTHONDONTWRITEBYTECODE: '1',
          LANG: 'C.UTF-8',
          HOME: '/tmp',
          DELOS_FOLDER: `/var/lib/${NAME}/server`,
          DELOS_SECRETS: '%d',
          DELOS_USER: WRITER,
          DELOS_INDEX: INDEX,
          DELOS_MIRROR: packages.mirror ?? '',
        },
        reads: [tree, prepare],
        memory: packages.memory,
      }),
    ],
    data: [`/var/lib/private/${NAME}`, `/var/lib/${NAME}`],
  };
}

/** Makes DevPI's folder, user and indices. The folder gets its name when it is whole; the rest is done anew at each start. */
const PREPARE = `import os
import shutil
import sys
from pathlib import Path

from devpi_server.config import get_pluginmanager, parseoptions
from devpi_server.main import DATABASE_VERSION, set_state_version, xom_from_config

os.umask(0o077)
folder = Path(os.environ["DELOS_FOLDER"])
secrets = Path(os.environ["DELOS_SECRETS"])
# DevPI refuses a file that others might read, as which it takes one of systemd's.
copy = Path("/tmp/delos/secret")
copy.parent.mkdir(mode=0o700, exist_ok=True)
copy.write_text((secrets / "secret").read_text())


def opened(where, init):
    config = parseoptions(get_pluginmanager(), ["devpi-init", "--serverdir", str(where), "--role", "standalone"])
    if init:
        set_state_version(config, DATABASE_VERSION)
    return xom_from_config(config, init=init)


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if not folder.exists():
    new = folder.with_name("server.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    xom = opened(new, True)
    xom.keyfs.get_current_serial()
    with xom.keyfs.write_transaction():
        # DevPI expects that there is one. Nobody can log in as it: it has no password.
        xom.model.create_user("root", password=None)
    for path in [*new.rglob("*"), new]:
        sync(path)
    new.rename(folder)
    sync(folder.parent)
    os.execv(sys.executable, [sys.executable, __file__])

xom = opened(folder, False)
name = os.environ["DELOS_USER"]
password = (secrets / "password").read_text().strip()
mirror = os.environ["DELOS_MIRROR"]
with xom.keyfs.write_transaction():
    user = xom.model.get_user(name)
    if user is None:
        user = xom.model.create_user(name, password=password)
    elif user.validate(password) in (None, False):
        user.modify(password=password)
    bases = ()
    stage = user.getstage("mirror")
    if mirror:
        bases = (name + "/mirror",)
        if stage is None:
            user.create_stage("mirror", type="mirror", mirror_url=mirror)
        elif stage.ixconfig.get("mirror_url") != mirror:
            stage.modify(mirror_url=mirror)
    stage = user.getstage(os.environ["DELOS_INDEX"])
    if stage is None:
        user.create_stage(os.environ["DELOS_INDEX"], type="stage", bases=bases, volatile=True, acl_upload=[name])
    elif tuple(stage.ixconfig.get("bases", ())) != bases:
        stage.modify(bases=bases)
`;
