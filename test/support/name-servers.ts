// Real name servers, BIND and Knot, on loopback ports and in folders of their own; started as child processes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { askSerial } from '../../src/dns/ask-serial.ts';
import type { DnsServerSettings } from '../../src/dns/server-settings.ts';

// Debian has them where only root looks.
export const NAME_SERVER_PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;
const has = (program: string) => spawnSync(program, ['-V'], { env: { PATH: NAME_SERVER_PATH } }).error === undefined;

export const HAS_NAME_SERVERS = ['named', 'rndc', 'knotd', 'knotc'].every(has);

/** Follows the name of a test that needs them. */
export const WITHOUT_NAME_SERVERS = HAS_NAME_SERVERS
  ? ''
  : ' (skipped: there are no name servers here; Debian has them in bind9 and knot)';

// The names of skipped tests are not shown.
if (!HAS_NAME_SERVERS)
  process.stderr.write(`test/dns-push and the comparisons of test/dns-rules${WITHOUT_NAME_SERVERS}\n`);

const START_MS = 20_000;
/** Of the servers' settings: long for a busy machine, since a refusal is known only when it is over. */
export const TIMEOUT_SECONDS = 3;
/** What a record set may have at BIND, so that there is something that it alone refuses. */
export const MAX_RECORDS_AT_BIND = 3;

export interface RunningServer {
  settings: DnsServerSettings;
  resolver: Resolver;
  serialOf(zone: string): Promise<number | null>;
  stop(): Promise<void>;
  /** Again, with the files that are there. */
  start(): Promise<void>;
  /** What it has logged. */
  log(): string;
  /** Stops it for good and removes its files. */
  remove(): Promise<void>;
}

interface Kind {
  program: string;
  arguments(folder: string): string[];
  /** Writes its configuration. */
  configure(folder: string, port: number): Promise<Pick<DnsServerSettings, 'load' | 'zoneList'>>;
}

const bind: Kind = {
  program: 'named',
  arguments: (folder) => ['-g', '-n', '1', '-c', join(folder, 'named.conf')],
  async configure(folder, port) {
    const control = await freePort();
    const key = `key slotkeeper { algorithm hmac-sha256; secret "${randomBytes(32).toString('base64')}"; };\n`;
    const conf = `${key}
      options {
        directory "${folder}"; pid-file none; session-keyfile none; managed-keys-directory "${folder}";
        listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
        recursion no; dnssec-validation no; notify no; max-records-per-type ${MAX_RECORDS_AT_BIND};
      };
      controls { inet 127.0.0.1 port ${control} allow { 127.0.0.1; } keys { slotkeeper; }; };
      include "${folder}/zones/zones.conf";
    `;
    await writeFile(join(folder, 'named.conf'), conf);
    const rndcConf = join(folder, 'rndc.conf');
    await writeFile(
      rndcConf,
      `${key}options { default-key slotkeeper; default-server 127.0.0.1; default-port ${control}; };\n`,
    );
    return {
      load: ['rndc', '-c', rndcConf, 'reload', '{zone}'],
      zoneList: {
        file: 'zones.conf',
        header: '',
        entry: 'zone "{zone}" { type primary; file "{file}"; };\n',
        load: ['rndc', '-c', rndcConf, 'reconfig'],
      },
    };
  },
};

const knot: Kind = {
  program: 'knotd',
  arguments: (folder) => ['-c', join(folder, 'knot.conf')],
  async configure(folder, port) {
    const socket = join(folder, 'knot.sock');
    await writeFile(
      join(folder, 'knot.conf'),
      `server:
    rundir: "${folder}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}/db"
control:
    listen: "${socket}"
log:
  - target: stdout
    any: info
template:
  - id: slotkeeper
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
include: "${folder}/zones/zones.conf"
`,
    );
    return {
      load: ['knotc', '-s', socket, '-b', 'zone-reload', '{zone}'],
      zoneList: {
        file: 'zones.conf',
        header: 'zone:\n',
        entry: '  - domain: "{zone}"\n    template: slotkeeper\n    file: "{file}"\n',
        load: ['knotc', '-s', socket, 'reload'],
      },
    };
  },
};

export const startBind = () => startServer(bind);
export const startKnot = () => startServer(knot);

async function startServer(kind: Kind): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), `slotkeeper-${kind.program}-`));
  const directory = join(folder, 'zones');
  await mkdir(directory);
  await writeFile(join(directory, 'zones.conf'), '');
  const port = await freePort();
  const commands = await kind.configure(folder, port);
  const settings: DnsServerSettings = {
    address: '127.0.0.1',
    port,
    directory,
    timeoutSeconds: TIMEOUT_SECONDS,
    ...commands,
  };
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${port}`]);
  let child: ChildProcess | undefined;
  let output = '';
  const stop = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  const start = async () => {
    child = spawn(kind.program, kind.arguments(folder), {
      env: { PATH: NAME_SERVER_PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const deadline = Date.now() + START_MS;
    while (!(await answers())) {
      if (Date.now() > deadline || child.exitCode !== null) {
        await stop();
        throw new Error(`${kind.program} did not start: ${output}`);
      }
      await pause(50);
    }
  };
  const answers = () =>
    serialOf('a-zone-of-nobody.test').then(
      () => true,
      () => false,
    );
  const serialOf = (zone: string) =>
    askSerial({ address: '127.0.0.1', port, timeoutSeconds: 2 }, zone, AbortSignal.timeout(10_000));
  await start();
  const remove = async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { settings, resolver, serialOf, stop, start, remove, log: () => output };
}

/** Free for TCP and UDP on the loopback at this moment. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = createSocket('udp4');
    const bound = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, '127.0.0.1', () => resolve(true));
    });
    socket.close();
    server.close();
    await once(server, 'close');
    if (bound) return port;
  }
}
