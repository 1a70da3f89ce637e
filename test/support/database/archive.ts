import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import pg from 'pg';
import { z } from 'zod';
import { type PointSet, pointSet } from '../../../cli/src/commands/restore-time/points.ts';
import { beginScript, fillScript, recoverScript, takeScript } from '../../../cli/src/commands/restore-time/scripts.ts';
import { execute, type RunningCommand, start } from '../../../peers/src/command.ts';
import { type TestObjectStorage, testObjectStorage } from '../objects/object-storage.ts';
import { idsOf, postgresFolder } from '../service/postgres.ts';
import { until } from '../until.ts';

const BUCKET = 'database-archive';
const FOLDER = 'pgdata';

/** What the archive is told, beside where all is. */
export interface ArchiveSettings {
  readonly withinSeconds?: number;
  readonly baseSeconds?: number;
  readonly keepSeconds?: number;
  /** File of age keys. */
  readonly keyFile?: string;
}

/** A PostgreSQL on a volume, an object storage, and the archive's own program between them. */
export class ArchivedDatabase {
  readonly folder = mkdtempSync(join(tmpdir(), 'delos-archive-'));
  readonly #owner = idsOf('postgres', 'nobody');
  readonly #bin = postgresFolder();
  readonly #program: string;
  readonly storage: TestObjectStorage;
  readonly port: number;
  readonly metricsPort: number;
  #server: RunningCommand | undefined;
  #archive: RunningCommand | undefined;
  #settings: ArchiveSettings;
  #logged = '';

  private constructor(
    program: string,
    storage: TestObjectStorage,
    ports: readonly [number, number],
    settings: ArchiveSettings,
  ) {
    this.#program = program;
    this.storage = storage;
    [this.port, this.metricsPort] = ports;
    this.#settings = settings;
  }

  static async start(settings: ArchiveSettings = {}): Promise<ArchivedDatabase> {
    const { path } = await resolveTool('pg-archive', silent);
    const storage = await testObjectStorage([BUCKET]);
    const made = new ArchivedDatabase(path, storage, [await freePort(), await freePort()], settings);
    made.#own(made.folder);
    const volume = join(made.folder, 'volume');
    mkdirSync(volume);
    made.#own(volume);
    made.run('initdb', ['-D', made.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
    writeFileSync(
      join(made.data, 'pg_hba.conf'),
      'local all all trust\nhost replication archiver 127.0.0.1/32 trust\n',
    );
    writeFileSync(join(made.folder, 'password'), 'unused');
    await made.up();
    await made.sql('create role archiver login replication');
    await made.archive();
    return made;
  }

  #own(path: string): void {
    chownSync(path, this.#owner.uid, this.#owner.gid);
  }

  get volume(): string {
    return join(this.folder, 'volume');
  }

  /** Data folder of the server. */
  get data(): string {
    return join(this.volume, FOLDER);
  }

  run(program: string, args: readonly string[]): void {
    execFileSync(join(this.#bin, program), args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      cwd: this.folder,
      ...this.#owner,
    });
  }

  /** Starts the server. */
  async up(): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${this.port}`,
      'fsync=off',
      'wal_keep_size=128MB',
      'max_slot_wal_keep_size=64MB',
      'max_wal_size=64MB',
      'min_wal_size=32MB',
      'checkpoint_timeout=30s',
    ];
    const args = ['-D', this.data, '-k', this.folder, ...settings.flatMap((each) => ['-c', each])];
    const identity = ['--reuid', String(this.#owner.uid), '--regid', String(this.#owner.gid), '--clear-groups'];
    this.#server = start(['setpriv', ...identity, join(this.#bin, 'postgres'), ...args], { timeout: 3600 });
    await until('the database answers', 60, async (last) => {
      last(this.#server?.stderr() ?? '');
      return await this.sql('select 1').then(
        () => true,
        () => undefined,
      );
    });
  }

  /** Ends the server: politely, or as the kernel does. Gives the seconds that it took. */
  async down(signal: 'SIGINT' | 'SIGKILL' = 'SIGINT'): Promise<number> {
    const began = Date.now();
    const ending = this.#server;
    this.#server = undefined;
    if (signal === 'SIGKILL') {
      // With its processes, as the end of a container has it.
      execFileSync('pkill', ['-KILL', '-P', String(ending?.child.pid)]);
    }
    ending?.child.kill(signal);
    await ending?.end;
    return (Date.now() - began) / 1000;
  }

  async sql(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ host: this.folder, port: this.port, user: 'postgres', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  get #env(): Record<string, string> {
    const { withinSeconds = 2, baseSeconds = 3600, keepSeconds = 86_400, keyFile } = this.#settings;
    const bucket = this.storage.settings(BUCKET);
    return {
      PATH: '/usr/bin:/bin',
      GOMEMLIMIT: '200MiB',
      PGHOST: '127.0.0.1',
      PGPORT: String(this.port),
      PGUSER: 'archiver',
      PGPASSWORD_FILE: join(this.folder, 'password'),
      S3_ENDPOINT: bucket.endpoint,
      S3_REGION: bucket.region,
      S3_BUCKET: bucket.bucket,
      S3_ACCESS_KEY: bucket.accessKey,
      S3_SECRET_KEY_FILE: bucket.secretFile,
      DELOS_ARCHIVE_PORT: String(this.metricsPort),
      DELOS_ARCHIVE_WITHIN_SECONDS: String(withinSeconds),
      DELOS_ARCHIVE_BASE_SECONDS: String(baseSeconds),
      DELOS_ARCHIVE_KEEP_SECONDS: String(keepSeconds),
      ...(keyFile === undefined ? {} : { DELOS_ARCHIVE_KEY_FILE: keyFile }),
    };
  }

  /** Starts the archive's program, with other settings where some are given. */
  async archive(settings: ArchiveSettings = this.#settings): Promise<void> {
    this.#settings = settings;
    this.#archive = start([this.#program], { timeout: 3600, env: this.#env });
    await until('the archive answers', 30, async () =>
      (await fetch(`http://127.0.0.1:${this.metricsPort}/health/live`).catch(() => undefined))?.ok === true
        ? true
        : undefined,
    );
  }

  async endArchive(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const ending = this.#archive;
    this.#archive = undefined;
    ending?.child.kill(signal);
    await ending?.end;
    this.#logged += ending?.stderr() ?? '';
  }

  logged(): string {
    return `${this.#logged}${this.#archive?.stderr() ?? ''}`;
  }

  command(...args: readonly string[]): ReturnType<typeof execute> {
    return execute([this.#program, ...args], { env: this.#env });
  }

  async flush(): Promise<string> {
    const { code, stdout, stderr } = await this.command('flush');
    if (code !== 0) throw new Error(stderr);
    return z.object({ asOf: z.iso.datetime() }).parse(JSON.parse(stdout)).asOf;
  }

  async points(): Promise<readonly PointSet[]> {
    const { code, stdout, stderr } = await this.command('points');
    if (code !== 0) throw new Error(stderr);
    return z.array(pointSet).parse(JSON.parse(stdout));
  }

  /** Until there is a base backup of so many histories. */
  async based(sets = 1): Promise<readonly PointSet[]> {
    return await until('there is a base backup', 60, async (last) => {
      last(this.logged());
      const found = await this.points();
      return found.length >= sets ? found : undefined;
    });
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** A script of the Pod that has the volume, as its user. */
  async script(text: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
    const identity = ['--reuid', String(this.#owner.uid), '--regid', String(this.#owner.gid), '--clear-groups'];
    const argv = ['setpriv', ...identity, '/bin/sh', '-c', text, 'restore', FOLDER, ...args];
    return await execute(argv, { env: { PATH: [this.#bin, '/usr/bin', '/bin'].join(delimiter) } });
  }

  /** What `delos restore --to-time` does with the volume, while the server is down. Gives what the recovery said. */
  async recover(set: string, base: string, time: string): Promise<{ readonly code: number; readonly stderr: string }> {
    await this.script(beginScript(this.volume));
    for (const [part, args] of [
      ['data', ['base', set, base]],
      ['log', ['log', set, base, time]],
    ] as const) {
      const code = await this.#pour(args, fillScript(this.volume), part);
      if (code !== 0) throw new Error(`${args.join(' ')}: ${code}`);
    }
    return await this.script(recoverScript(this.volume), time);
  }

  async #pour(args: readonly string[], script: string, part: string): Promise<number> {
    const source = spawn(this.#program, args, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] });
    const identity = ['--reuid', String(this.#owner.uid), '--regid', String(this.#owner.gid), '--clear-groups'];
    const target = spawn('setpriv', [...identity, '/bin/sh', '-c', script, 'restore', FOLDER, part], {
      stdio: [source.stdout, 'inherit', 'inherit'],
    });
    const ends = [source, target].map(
      (each) => new Promise<number>((resolve) => each.once('exit', (code) => resolve(code ?? 1))),
    );
    return (await Promise.all(ends)).find((code) => code !== 0) ?? 0;
  }

  /** Goes back to a time: the server is another one afterwards. */
  async goBack(time: string): Promise<void> {
    const sets = await this.points();
    const set = sets.findLast(({ bases }) => (bases[0]?.from ?? '') <= time);
    const base = set?.bases.findLast(({ from }) => from <= time);
    if (set === undefined || base === undefined) throw new Error(`nothing before ${time}: ${JSON.stringify(sets)}`);
    const closed = await this.command('close');
    if (closed.code !== 0) throw new Error(closed.stderr);
    await this.down();
    const { code, stderr } = await this.recover(set.set, base.id, time);
    if (code !== 0) throw new Error(stderr);
    const taken = await this.script(takeScript(this.volume));
    if (taken.code !== 0) throw new Error(taken.stderr);
    await this.up();
  }

  async stop(): Promise<void> {
    await this.endArchive();
    if (this.#server !== undefined) await this.down('SIGKILL');
    await this.storage.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
