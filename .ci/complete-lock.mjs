// Adds to package-lock.json the optional platform packages that npm left out because the registry in use does not
// serve them (mirrors often hold one platform). Without them `npm ci` calls the lock incomplete. Run after npm install.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const OS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32', 'aix'];
const CPU = {
  x64: 'x64',
  arm64: 'arm64',
  ia32: 'ia32',
  arm: 'arm',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm32: 'wasm32',
  loong64: 'loong64',
};
let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined) continue;
    const words = name.split('/').at(-1).split('-');
    const os = words.filter((word) => OS.includes(word));
    const cpu = words.map((word) => CPU[word]).filter((word) => word !== undefined);
    const libc = words.some((word) => word.includes('musl'))
      ? ['musl']
      : words.some((word) => word === 'gnu')
        ? ['glibc']
        : [];
    if (os.length === 0) throw new Error(`${name}: no platform in its name; add it by hand`);
    lock.packages[path] = {
      version: version.replace(/^[~^]/, ''),
      cpu,
      ...(entry.dev ? { dev: true } : {}),
      ...(libc.length ? { libc } : {}),
      optional: true,
      os,
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added`);
