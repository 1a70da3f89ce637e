import dns from 'node:dns';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Ask, RememberedNames, rememberNames } from '../../../runtime/service/src/edge/remembered-names.ts';

const ONE = [{ address: '10.0.0.1', family: 4 }];
const TWO = [{ address: '10.0.0.2', family: 4 }];
const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** A DNS whose answers the test gives. */
function dnsOf() {
  const questions: PromiseWithResolvers<typeof ONE>[] = [];
  const ask: Ask = () => {
    const question = Promise.withResolvers<typeof ONE>();
    questions.push(question);
    return question.promise;
  };
  return { questions, names: new RememberedNames(ask, 5) };
}

describe('a name of a Service', () => {
  test('is asked for once, however many want it', async () => {
    const { questions, names } = dnsOf();
    const all = [names.find('a', {}), names.find('a', {}), names.find('a', {})];
    questions[0]?.resolve(ONE);
    expect(await Promise.all(all)).toEqual([ONE, ONE, ONE]);
    expect(questions).toHaveLength(1);
  });

  test('is what it was, where no answer comes; the answer counts when it comes', async () => {
    const { questions, names } = dnsOf();
    const first = names.find('a', {});
    questions[0]?.resolve(ONE);
    await first;
    expect(await names.find('a', {})).toEqual(ONE);
    expect(await names.find('a', {})).toEqual(ONE);
    expect(questions).toHaveLength(2);
    questions[1]?.resolve(TWO);
    await questions[1]?.promise;
    const next = names.find('a', {});
    questions[2]?.reject(failure('EAI_AGAIN'));
    expect(await next).toEqual(TWO);
  });

  test('that has gone is forgotten, and one that was never known is an error', async () => {
    const { questions, names } = dnsOf();
    const first = names.find('a', {});
    questions[0]?.resolve(ONE);
    await first;
    const gone = names.find('a', {});
    questions[1]?.reject(failure('ENOTFOUND'));
    await expect(gone).rejects.toThrow('ENOTFOUND');
    const again = names.find('a', {});
    questions[2]?.reject(failure('EAI_AGAIN'));
    await expect(again).rejects.toThrow('EAI_AGAIN');
  });

  test('of another family is another question', async () => {
    const { questions, names } = dnsOf();
    const both = [names.find('a', { family: 4 }), names.find('a', { family: 6 })];
    questions[0]?.resolve(ONE);
    questions[1]?.resolve(TWO);
    expect(await Promise.all(both)).toEqual([ONE, TWO]);
  });
});

describe('a process', () => {
  const { lookup } = dns;
  afterEach(() => {
    vi.restoreAllMocks();
    Object.assign(dns, { lookup });
  });

  test('connects to a Service by the address of before while names get no answer, and asks for others as ever', async () => {
    const server = createServer((socket) => socket.end('here')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const answers = vi.spyOn(dns.promises, 'lookup');
    answers.mockResolvedValueOnce([{ address: '127.0.0.1', family: 4 }] as never);
    answers.mockReturnValue(new Promise(() => undefined) as never);
    rememberNames();
    const ask = async (host: string): Promise<string> => {
      const { connect } = await import('node:net');
      const socket = connect({ host, port });
      let text = '';
      for await (const part of socket) text += String(part);
      return text;
    };
    try {
      for (let turn = 0; turn < 3; turn++) expect(await ask('database.delos.svc.cluster.local')).toBe('here');
      expect(answers).toHaveBeenCalledTimes(2);
      expect(await ask('localhost')).toBe('here');
      expect(answers).toHaveBeenCalledTimes(2);
    } finally {
      server.close();
    }
  });
});
