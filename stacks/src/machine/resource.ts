import pulumi from '@pulumi/pulumi';
import type { Content, Part } from './part.ts';
import type { Address } from './ssh.ts';

const PACKAGE = 'delos-machine';

/** A machine that is reached by ssh. */
export class MachineProvider extends pulumi.ProviderResource {
  constructor(name: string, { host, port, user, keyFile, hostKey }: Address) {
    const key = keyFile === undefined ? {} : { keyFile };
    super(PACKAGE, name, { host, port: String(port), user, hostKey, ...key }, { version: '0.1.0' });
  }
}

/** A part of a machine. Texts of files that only root may read are secrets of the stack. */
export class MachinePart extends pulumi.CustomResource {
  constructor(part: Part, options: pulumi.CustomResourceOptions) {
    const files = Object.fromEntries(
      Object.entries(part.files).map(([path, { mode, content }]) => [
        path,
        { mode, content: (mode & 0o077) === 0 ? hidden(content) : content },
      ]),
    );
    super(`${PACKAGE}:index:Part`, part.name, { ...part, files }, options);
  }
}

const hidden = (content: Content): Content | { readonly text: pulumi.Output<string> } =>
  'text' in content ? { text: pulumi.secret(content.text) } : content;
