import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TsigKey } from '@delos/core';
import { freePort } from '@delos/host';
import { unpackedDebian } from '../debian/unpacked.ts';
import { until } from '../until.ts';
import { ask } from './ask.ts';

/** A real name server that takes signed updates: Debian's Knot DNS, unpacked into the cache, on loopback. */
export interface Knot {
  readonly port: number;
  /** The key that may update its zone. */
  readonly key: TsigKey;
  /** One that it knows and that may only ask. */
  readonly reader: TsigKey;
  stop(): Promise<void>;
}

const LIBRARIES =
  /^(lib(knot|zscanner|dnssec)\S*|libedit2|libbsd0|libfstrm0|liblmdb0|libmaxminddb0|libprotobuf-c1|liburcu8|libnghttp2-14|libbpf\S*|libxdp\S*|libelf1|libgnutls30|libnettle8|libhogweed6|libgmp10|libp11-kit0|libtasn1-6|libunistring2|libidn2-0|libffi8|libcap-ng0|libsystemd0)$/;

/** @param zone whose server it is @param host address of loopback that it listens on */
export async function startKnot(zone: string, host = '127.0.0.1', wanted?: number): Promise<Knot> {
  const { root, env } = await unpackedDebian({ name: 'knot', packages: () => ['knot'], libraries: LIBRARIES });
  const folder = await mkdtemp(join(tmpdir(), 'delos-knot-'));
  const port = wanted ?? (await freePort());
  const key = (name: string): TsigKey => ({
    name,
    algorithm: 'hmac-sha256',
    secret: randomBytes(32).toString('base64'),
  });
  const writer = key('delos-writer');
  const reader = key('delos-reader');
  await mkdir(join(folder, 'run'));
  await mkdir(join(folder, 'db'));
  const keyLines = ({ name, algorithm, secret }: TsigKey): string =>
    `  - id: ${name}\n    algorithm: ${algorithm}\n    secret: ${secret}\n`;
  const config = `server:
    rundir: ${folder}/run
    listen: ${host}@${port}
database:
    storage: ${folder}/db
log:
  - target: stderr
    any: info
key:
${keyLines(writer)}${keyLines(reader)}acl:
  - id: write
    key: ${writer.name}
    action: update
zone:
  - domain: ${zone}
    storage: ${folder}/db
    file: zone
    acl: write
`;
  await writeFile(join(folder, 'knot.conf'), config);
  const lines = [`${zone}. 60 SOA ns1.${zone}. hostmaster.${zone}. 1 3600 600 86400 30`, `${zone}. 60 NS ns1.${zone}.`];
  await writeFile(join(folder, 'db', 'zone'), `${lines.join('\n')}\nns1.${zone}. 60 A 127.0.0.1\n`);
  const child: ChildProcess = spawn(join(root, 'usr/sbin/knotd'), ['-c', join(folder, 'knot.conf')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (log += String(piece)));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    await rm(folder, { recursive: true, force: true });
  };
  await until('Knot DNS answers', 30, async (last) => {
    last(log);
    if (child.exitCode !== null) throw new Error(`knotd ended: ${log}`);
    const answer = await ask({ host, port }, zone, 6).catch(() => undefined);
    return answer?.rcode === 0 || undefined;
  });
  return { port, key: writer, reader, stop };
}
