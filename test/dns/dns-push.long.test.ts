// Pushes to real name servers that are cut short, or whose commands fail.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pushStage } from '../support/dns-push.ts';
import { HAS_NAME_SERVERS, MAX_RECORDS_AT_BIND, WITHOUT_NAME_SERVERS } from '../support/name-servers.ts';
import { startProcess } from '../support/process.ts';

describe.skipIf(!HAS_NAME_SERVERS)(`a push to BIND and Knot${WITHOUT_NAME_SERVERS}`, () => {
  const stage = pushStage();

  /** A zone that both serve and that has changed since; the serial that they serve. */
  async function changedZone(): Promise<number> {
    await stage().addZone('example.com');
    await stage().push();
    const serial = await stage().serialOf('example.com');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    return serial;
  }

  /** Settings in which BIND is told to load by another command. */
  const loadedBy = (load: string[], timeoutSeconds = 2) => ({
    ...stage().servers,
    bind: { ...stage().bind.settings, load, timeoutSeconds },
  });

  /** A command that writes its process id down and does not end. */
  const endless = (file: string) => ['/bin/sh', '-c', `echo $$ > ${file}; exec sleep 60`, '{zone}'];

  async function pidIn(file: string): Promise<number> {
    const read = () => readFile(file, 'utf8').catch(() => '');
    await expect.poll(read).toMatch(/^\d+\n$/);
    return Number(await read());
  }

  test.each([
    ['fails', ['/bin/sh', '-c', 'echo "no way" >&2; exit 3', '{zone}'], 'sh ended with the code 3'],
    ['cannot be run', ['/nonexistent/rndc', '{zone}'], 'rndc could not be run: ENOENT (no such file or directory)'],
    ['does not end', ['/bin/sh', '-c', 'sleep 60', '{zone}'], 'sh was stopped after 2 seconds'],
  ])('whose command %s says so, and the former file is back', async (_what, load, why) => {
    const old = await changedZone();
    await stage().restart(loadedBy(load));
    const { state, message } = await stage().push();
    expect(state).toBe('FAILED');
    expect(message).toContain(
      `bind, example.com: serial ${old + 1} was expected, the server answers ${old}, ${why}, the former file is back`,
    );
    // What the arguments are is nobody's business: a key may be among them.
    expect(message).not.toContain('/bin/sh');
    const file = join(stage().bind.settings.directory, 'example.com.zone');
    expect(await readFile(file, 'utf8')).toContain(`serial ${old}:`);
    await stage().restart();
    expect(await stage().push()).toMatchObject({ state: 'SUCCEEDED' });
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
  });

  test('whose command names no zone loads all that changed at once', async () => {
    await changedZone();
    await stage().addZone('example.net');
    const [rndc = '', ...args] = stage().bind.settings.load;
    await stage().restart(loadedBy([rndc, ...args.slice(0, -1)]));
    const { state, lines } = await stage().push();
    expect(state).toBe('SUCCEEDED');
    expect(lines).toContain('bind: told to load 1 zone');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.81' }]);
    await stage().add('example.net', [{ name: 'www', type: 'A', value: '192.0.2.81' }]);
    expect((await stage().push()).lines).toContain('bind: told to load 2 zones');
    for (const zone of ['example.com', 'example.net']) {
      expect(await stage().served(zone)).toEqual([await stage().serialOf(zone), await stage().serialOf(zone)]);
    }
  });

  test('that is cancelled takes its command along, and the next completes it', async () => {
    const old = await changedZone();
    const file = join(stage().bind.settings.directory, 'cancelled');
    await stage().restart(loadedBy(endless(file), 60));
    const { id } = await stage().begin();
    const pid = await pidIn(file);
    await stage().app.query('mutation ($id: ID!) { cancelRun(input: { run: $id }) { run { id } } }', { id });
    await expect.poll(async () => (await stage().run(id)).state).toBe('CANCELLED');
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await stage().restart();
    expect(await stage().push()).toMatchObject({ state: 'SUCCEEDED' });
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
  });

  test('finds a server that started with a file which it refuses, and has it serve the former one again', async () => {
    const old = await changedZone();
    const values = Array.from({ length: MAX_RECORDS_AT_BIND + 1 }, (_, index) => `text ${index}`);
    await stage().add(
      'example.com',
      values.map((value) => ({ name: 'many', type: 'TXT', value })),
    );
    const file = join(stage().bind.settings.directory, 'unloaded');
    await stage().restart(loadedBy(endless(file), 60));
    const { id } = await stage().begin();
    await pidIn(file);
    await stage().app.query('mutation ($id: ID!) { cancelRun(input: { run: $id }) { run { id } } }', { id });
    await expect.poll(async () => (await stage().run(id)).state).toBe('CANCELLED');
    await stage().bind.stop();
    await stage().bind.start();
    expect(await stage().bind.serialOf('example.com')).toBe(null);
    await stage().restart();
    expect((await stage().push()).message).toContain('the server does not serve the zone');
    await expect.poll(() => stage().served('example.com')).toEqual([old, old + 1]);
  });

  test('that is killed between the serial and the load is completed by the next', async () => {
    const old = await changedZone();
    const { directory } = stage().bind.settings;
    const [begun, settings] = [join(directory, 'killed'), join(directory, '..', 'servers.json')];
    await writeFile(settings, JSON.stringify(loadedBy(endless(begun), 60)));
    await stage().app.stop();
    const killed = await startProcess(stage().database.url, { DNS_SERVERS: settings, LEASE_SECONDS: '10' });
    try {
      const begin =
        'mutation ($task: ID!) { executeTask(input: { task: { id: $task }, waitSeconds: 0 }) { run { id } } }';
      await killed.query(begin, { task: stage().task });
      const pid = await pidIn(begun);
      killed.child.kill('SIGKILL');
      process.kill(pid, 'SIGKILL');
    } finally {
      killed.child.kill('SIGKILL');
    }
    await stage().restart();
    expect(await stage().bind.serialOf('example.com')).toBe(old);
    expect(await stage().push()).toMatchObject({
      state: 'SUCCEEDED',
      message: 'DNS push: 1 of 1 zones on 2 of 2 servers; 0 zones changed.',
    });
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
    expect((await stage().leftovers()).filter((name) => name.endsWith('.former'))).toEqual([]);
  });
});
