// The setting DNS_SERVERS, as the start reads it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { readSettings } from '../../src/settings.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-dns-settings-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

afterEach(() => vi.unstubAllEnvs());

/** What a start with this file says; another setting is at fault too, and is told with it. */
async function startWith(content: string): Promise<string> {
  const file = join(folder, 'servers.json');
  await writeFile(file, content);
  return start(file);
}

function start(file: string): string {
  vi.stubEnv('DNS_SERVERS', file);
  vi.stubEnv('PORT', 'x');
  try {
    readSettings();
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    expect(String(error)).toContain('PORT must be a whole number');
    return String(error);
  }
  throw new Error('nothing was refused');
}

const good = { address: '127.0.0.1', directory: '/srv/zones', load: ['rndc', 'reload', '{zone}'] };

test('a correct file has no faults', async () => {
  const zoneList = { file: 'zones.conf', entry: '{zone} {file}\n', load: ['rndc', 'reconfig'] };
  const servers = {
    ns1: { ...good, zoneList, port: 5353, timeoutSeconds: 1 },
    ns2: { ...good, address: '::1', directory: '/srv/b' },
  };
  expect(await startWith(JSON.stringify(servers))).not.toContain('DNS_SERVERS');
});

test('all faults are reported together, with their places and without their values', async () => {
  const text = await startWith(
    JSON.stringify({
      ns1: { ...good, address: 'localhost', port: 0, load: ['{zone}', 'secret'] },
      ns2: { ...good, directory: 'zones', timeoutSeconds: 0, shell: true },
      ns3: { ...good, directory: '/srv/c', zoneList: { file: '../x', entry: 'secret', load: [] } },
    }),
  );
  for (const place of ['ns1.address', 'ns1.port', 'ns1.load', 'ns2.directory', 'ns2.timeoutSeconds', '"shell"']) {
    expect(text).toContain(place);
  }
  for (const place of ['ns3.zoneList.file', 'ns3.zoneList.entry', 'ns3.zoneList.load']) expect(text).toContain(place);
  expect(text).not.toContain('secret');
});

test('two servers cannot have one directory', async () => {
  const text = await startWith(JSON.stringify({ ns1: good, ns2: { ...good, directory: '/srv/../srv/zones' } }));
  expect(text).toContain('ns2.directory must not be the directory of ns1 too');
});

test('a file that is not there or no JSON is a fault', async () => {
  expect(start(join(folder, 'nothing.json'))).toContain('DNS_SERVERS cannot be read');
  expect(await startWith('{')).toContain('DNS_SERVERS cannot be read');
});
