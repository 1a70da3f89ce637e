import type { UnitFile } from '../machine/part.ts';

export interface ServiceProps {
  /** Without its ending. */
  readonly name: string;
  readonly idea: string;
  readonly exec: string;
  /** Run before it, in the same sandbox. */
  readonly prepare?: string;
  /** Port at which it must listen before it counts as started, and where. */
  readonly port: number;
  readonly host?: string;
  /** Whether it keeps data, in /var/lib/NAME. */
  readonly data?: boolean;
  /** Name → file that only root may read. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Further files and trees that it reads at its start. */
  readonly reads: readonly string[];
  readonly memory: string;
  /** Whether it listens below port 1024. */
  readonly low?: boolean;
}

/** Folder in which a service finds its secrets. */
export const secretsOf = (name: string): string => `/run/credentials/${name}.service`;

/**
 * A unit that may do nothing but its work: a user of its own that exists while it runs, nothing writable but its data, no right
 * that it does not need. It counts as started when it listens, and starts again whenever it ends.
 * @see systemd.exec(5)
 */
export function serviceUnit(props: ServiceProps): UnitFile {
  const { name, host = '127.0.0.1', port, secrets = {}, environment = {} } = props;
  const right = props.low === true ? 'CAP_NET_BIND_SERVICE' : '';
  const waits = `for i in {1..300}; do kill -0 $MAINPID || exit 1; (exec 3<>/dev/tcp/${host}/${port}) 2>/dev/null && exit; sleep 0.1; done; exit 1`;
  const lines = [
    '[Unit]',
    `Description=${props.idea}`,
    'Wants=network-online.target',
    'After=network-online.target',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...(props.prepare === undefined ? [] : [`ExecStartPre=${props.prepare}`]),
    `ExecStart=${props.exec}`,
    `ExecStartPost=/bin/bash -c '${waits}'`,
    'Restart=always',
    'RestartSec=1',
    'TimeoutStartSec=120',
    'DynamicUser=yes',
    ...(props.data === true ? [`StateDirectory=${name}`, 'StateDirectoryMode=0700'] : []),
    ...Object.entries(secrets).map(([key, file]) => `LoadCredential=${key}:${file}`),
    ...Object.entries(environment).map(([key, value]) => `Environment="${key}=${value}"`),
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=yes',
    'PrivateTmp=yes',
    'PrivateDevices=yes',
    'ProtectKernelTunables=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelLogs=yes',
    'ProtectControlGroups=yes',
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'ProtectProc=invisible',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'LockPersonality=yes',
    'MemoryDenyWriteExecute=yes',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    'SystemCallErrorNumber=EPERM',
    `CapabilityBoundingSet=${right}`,
    `AmbientCapabilities=${right}`,
    'UMask=0077',
    `MemoryMax=${props.memory}`,
    'TasksMax=512',
    'LimitNOFILE=8192',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ];
  return { name: `${name}.service`, text: lines.join('\n'), reads: [...props.reads, ...Object.values(secrets)] };
}
