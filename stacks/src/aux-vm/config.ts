import { isIP } from 'node:net';
import { z } from 'zod';

const name = z
  .string()
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'expected a DNS name in lower-case letters, as site.example.com',
  )
  .max(200);
const ip = z.string().refine((text) => isIP(text) !== 0, 'expected an IP address');
const network = z.string().refine((text) => {
  const [host = '', bits] = text.split('/');
  const most = isIP(host) === 4 ? 32 : isIP(host) === 6 ? 128 : -1;
  return most > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
}, 'expected an address or a network, as 10.0.0.0/8');
const port = z.number().int().min(1).max(65_535);
const memory = z.string().regex(/^[1-9]\d{0,5}[MG]$/, 'expected a size as 512M or 2G');

const ssh = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'expected a name or an address')
    .describe('Where the machine is reached. Default: `address`')
    .optional(),
  port: port.describe('Port of its sshd').default(22),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected the name of a user')
    .describe('root, or one who may use sudo without a password')
    .default('root'),
  keyFile: z
    .string()
    .describe('File with the private key. Default: those of your agent and your ssh configuration')
    .optional(),
  hostKey: z
    .string()
    .regex(
      /^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{60,2000}={0,3}( .{0,200})?$/,
      'expected a public key, as /etc/ssh/ssh_host_ed25519_key.pub on the machine has it',
    )
    .describe('The key that the machine shows, from /etc/ssh/ssh_host_ed25519_key.pub there. No other is believed'),
});

const zone = z.strictObject({
  name: name.describe('Name of the zone'),
  address: ip.describe('Address of the name itself and of every name below it'),
  records: z
    .record(z.string().regex(/^[a-z0-9*_]([a-z0-9._-]{0,180}[a-z0-9])?$/, 'expected a name relative to the zone'), ip)
    .describe('Names in it with another address')
    .default({}),
});

/** The file that says what an auxiliary machine is. */
export const auxVmConfig = z.strictObject({
  domain: name.describe('Name of the machine: it answers at https://DOMAIN/, and its DNS knows *.DOMAIN'),
  address: ip.describe('Address of the machine, as its clients reach it'),
  ssh: ssh.optional().describe('How the machine is reached. Left out: only `delos aux-vm cloud-init` can be used'),
  tls: z
    .strictObject({ certificate: z.string(), key: z.string() })
    .describe('Files of a certificate and its key, in PEM. Default: one of this stack’s own authority')
    .optional(),
  firewall: z
    .strictObject({
      enabled: z.boolean().describe('Whether what is not named is closed').default(true),
      open: z.array(port).max(50).describe('Further TCP ports that are open').default([]),
      from: z
        .array(network)
        .max(100)
        .describe('Networks that reach the services; ssh is open to all. Default: all')
        .default([]),
    })
    .prefault({}),
  registry: z
    .strictObject({ enabled: z.boolean().default(true), memory: memory.describe('Most memory').default('512M') })
    .describe('Registry of images, and of charts as OCI artefacts')
    .prefault({}),
  charts: z
    .strictObject({ enabled: z.boolean().default(true), memory: memory.describe('Most memory').default('512M') })
    .describe('Repository of Helm charts, with ChartMuseum’s upload API')
    .prefault({}),
  packages: z
    .strictObject({
      enabled: z.boolean().default(true),
      mirror: z
        .url({ protocol: /^https?$/ })
        .describe('An index whose packages are handed on. Default: none, nothing is fetched')
        .optional(),
      memory: memory.describe('Most memory').default('1G'),
    })
    .describe('Index of Python packages (DevPI)')
    .prefault({}),
  dns: z
    .strictObject({
      enabled: z.boolean().default(true),
      listen: ip.describe('Address that it is asked at. Default: `address`').optional(),
      zones: z.array(zone).max(50).describe('Further zones, such as the platform’s').default([]),
      forward: z
        .array(ip)
        .max(5)
        .describe('Servers that are asked for other names. Default: others are refused')
        .default([]),
    })
    .describe('Name server')
    .prefault({}),
  programs: z
    .string()
    .describe('Folder with the programs, as `delos aux-vm programs` makes it. Default: made on this machine')
    .optional(),
});
export type AuxVmConfig = z.infer<typeof auxVmConfig>;
