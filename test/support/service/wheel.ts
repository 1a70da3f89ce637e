import { join } from 'node:path';
import { execute, expectOk } from '../../../peers/src/command.ts';

/** A wheel of one module whose `VALUE` is the version, beside a file of `bytes` random bytes. */
export async function makeWheel(python: string, folder: string, name: string, version: string, bytes = 0) {
  const file = `${name}-${version}-py3-none-any.whl`;
  await expectOk(execute([python, '-c', MAKE, join(folder, file), name, version, String(bytes)]));
  return { file, path: join(folder, file) };
}

const MAKE = `
import base64, hashlib, os, sys, zipfile
path, name, version, size = sys.argv[1:]
info = f"{name}-{version}.dist-info"
files = {
    f"{name}.py": f"VALUE = {version!r}\\n".encode(),
    f"{name}.bin": os.urandom(int(size)),
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n".encode(),
    f"{info}/WHEEL": b"Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
record = "".join(f"{file},sha256={digest(data)},{len(data)}\\n" for file, data in files.items())
files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\\n".encode()
with zipfile.ZipFile(path, "w") as made:
    for file, data in files.items():
        made.writestr(file, data)
`;
