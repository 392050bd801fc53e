// Which folder may import which; docs/architecture.md describes the folders.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** In the order of docs/architecture.md: each imports only itself and what stands above it. */
const ROOMS = [
  'src/lib/',
  'src/calendar/',
  'src/entities/',
  'src/client/',
  'src/tracing/',
  'src/database/',
  'src/events/',
  'src/credentials/',
  'src/dns/',
  'src/addresses/',
  'src/backup/',
  'src/scheduling/',
  'src/ledger/',
  'src/task-classes/',
  'src/tasks/',
  'src/runner/',
  'src/settings.ts',
  'src/schema/',
  'src/legacy/',
  'src/metrics/',
  'src/http/',
  'src/import/',
  'src/tasks-file/',
  'src/app.ts',
  'src/cli/',
  'src/main.ts',
  'src/dashboard/',
];

/** Runs in a browser, so it takes what is free of Node and of the database. */
const BROWSER = { room: 'src/dashboard/', mayImport: ['src/client/', 'src/calendar/'] };

/** Everything else declares the settings that it needs. */
const READ_ALL_SETTINGS = ['src/app.ts', 'src/cli/', 'src/main.ts'];

/** Imports that go down the list all the same, each with its reason. */
const EXCEPTIONS = new Map([
  [
    'src/app.ts -> src/dashboard/operations.ts',
    'a gateway that accepts listed operations alone accepts those of its own page: documents, no code',
  ],
]);

/** Files that know each other, as their tables do. */
const CIRCLE = ['src/entities/repeat-item.ts', 'src/entities/task.ts'];

/** Where GraphQL is spoken; elsewhere a file has its reason in docs/architecture.md. */
const SPEAK_GRAPHQL = ['src/schema/', 'src/http/'];

type Imports = ReadonlyMap<string, readonly string[]>;

const IMPORT = /(?:\bfrom|\bimport|\bimport\()\s*'([^']+)'/g;

const sources = globSync('src/**/*.{ts,tsx}').map((file) => file.replaceAll('\\', '/'));

function specifiersOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, specifier]) => specifier ?? []);
}

function readImports(): Imports {
  const known = new Set(sources);
  return new Map(
    sources.map((file) => {
      const relative = specifiersOf(file).filter((specifier) => specifier.startsWith('.'));
      const targets = relative.map((specifier) => normalize(join(dirname(file), specifier)).replaceAll('\\', '/'));
      return [file, targets.filter((target) => known.has(target))];
    }),
  );
}

const roomOf = (file: string) => ROOMS.findIndex((room) => file.startsWith(room));
const isIn = (file: string, rooms: readonly string[]) => rooms.some((room) => file.startsWith(room));

/** The imports that the rule forbids, as `importer -> imported`. */
function findForbidden(imports: Imports): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => isForbidden(file, target)).map((target) => `${file} -> ${target}`),
  );
}

function isForbidden(file: string, target: string): boolean {
  if (roomOf(target) > roomOf(file)) return true;
  if (target === 'src/settings.ts') return !isIn(file, READ_ALL_SETTINGS);
  return isIn(file, [BROWSER.room]) && !isIn(target, [BROWSER.room, ...BROWSER.mayImport]);
}

/** Groups of files each of which reaches all others, found by Tarjan's algorithm. */
function findCircles(imports: Imports): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const index = order.size;
    order.set(file, index);
    lowest.set(file, index);
    path.push(file);
    for (const target of imports.get(file) ?? []) {
      const reached = order.has(target) ? (path.includes(target) ? order.get(target) : undefined) : visit(target);
      if (reached !== undefined) lowest.set(file, Math.min(lowest.get(file) ?? index, reached));
    }
    if (lowest.get(file) === index) {
      const members = path.splice(path.indexOf(file)).sort();
      if (members.length > 1) circles.push(members);
    }
    return lowest.get(file) ?? index;
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return circles;
}

describe('the folders of src', () => {
  const imports = readImports();

  test('hold every file', () => {
    expect(sources.length).toBeGreaterThan(300);
    expect(sources.filter((file) => roomOf(file) === -1)).toEqual([]);
  });

  test('import only what stands above them in the list, but for named exceptions', () => {
    expect(findForbidden(imports).sort()).toEqual([...EXCEPTIONS.keys()].sort());
  });

  test('have no circle but that of tasks and their rules', () => {
    expect(findCircles(imports)).toEqual([CIRCLE]);
  });

  test('speak GraphQL where docs/architecture.md says so', () => {
    const page = readFileSync('docs/architecture.md', 'utf8');
    const others = sources.filter((file) => !isIn(file, SPEAK_GRAPHQL) && specifiersOf(file).includes('graphql'));
    expect(others.filter((file) => !page.includes(`\`${file}\``))).toEqual([]);
  });
});

describe('the check of the folders', () => {
  test('finds an import that goes down the list, settings read by a part, and a page that imports the server', () => {
    const imports = new Map([
      ['src/lib/log.ts', ['src/schema/index.ts']],
      ['src/http/server.ts', ['src/settings.ts', 'src/lib/log.ts']],
      ['src/cli/start.ts', ['src/settings.ts', 'src/app.ts']],
      ['src/dashboard/app.tsx', ['src/entities/task.ts', 'src/calendar/schedule.ts']],
    ]);
    expect(findForbidden(imports)).toEqual([
      'src/lib/log.ts -> src/schema/index.ts',
      'src/http/server.ts -> src/settings.ts',
      'src/dashboard/app.tsx -> src/entities/task.ts',
    ]);
  });

  test('finds circles of two and more files, and none in a diamond', () => {
    const diamond: [string, string[]][] = [
      ['a', ['b', 'c']],
      ['b', ['d']],
      ['c', ['d']],
      ['d', []],
    ];
    expect(findCircles(new Map(diamond))).toEqual([]);
    expect(findCircles(new Map([...diamond, ['d', ['e']], ['e', ['c', 'f']], ['f', ['e']]]))).toEqual([
      ['c', 'd', 'e', 'f'],
    ]);
  });
});
