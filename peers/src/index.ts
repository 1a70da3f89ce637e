export * from './apolo.ts';
export * from './command.ts';
export * from './flow-authority.ts';
export * from './loopback-user.ts';
export * from './python-client.ts';
