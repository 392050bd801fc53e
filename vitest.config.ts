import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const require = createRequire(import.meta.url);

// Two copies of graphql in one process refuse each other's schemas; one file for everyone prevents it.
const alias = { graphql: require.resolve('graphql') };

/** Files that take longest, most of it waiting; begun last, one of them would run alone at the end. */
const LONGEST = [
  'due-minute',
  'start-stop',
  'chaos.long',
  'kill-points.long',
  'backup.long',
  'gateway-runner',
  'embedded',
  'runner-races',
  'dashboard',
  'http-request-task',
  'task-class',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).toSorted((left, right) => rank(left) - rank(right));
  }
}

/** It holds the page to times, so nothing else runs beside it. */
const MEASURED = 'test/dashboard/dashboard-budgets.long.test.ts';

/** Folders whose tests ask by GraphQL; they run a second time, with queries that compiled code answers. */
const ASKING = ['schema', 'tasks', 'ledger', 'credentials', 'dns', 'addresses', 'events', 'runner'];

const common = {
  globalSetup: ['test/support/global-setup.ts'],
  setupFiles: ['test/support/leaks.ts'],
  provide: { isSoak: false, isCompiled: false },
  // Each file has a database of its own, and modules keep no state between files: loading them anew for each costs a fifth.
  isolate: false,
  // Not what a test may take, but when one is given up; a busy machine may be several times slower than an idle one.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 20_000 } },
};

export default defineConfig({
  test: {
    // Tests wait for processes, minutes and the database far more than they compute.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        resolve: { alias },
        test: {
          ...common,
          name: 'fast',
          include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: ['test/**/*.long.test.ts'],
        },
      },
      {
        resolve: { alias },
        test: {
          ...common,
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          exclude: [MEASURED],
          testTimeout: 600_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: { alias },
        test: {
          ...common,
          name: 'compiled',
          include: ASKING.map((folder) => `test/${folder}/**/*.test.ts`),
          exclude: ['test/**/*.long.test.ts'],
          provide: { isSoak: false, isCompiled: true },
          sequence: { groupOrder: 2 },
        },
      },
      {
        resolve: { alias },
        test: {
          ...common,
          name: 'measured',
          include: [MEASURED],
          testTimeout: 600_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
      {
        resolve: { alias },
        test: {
          ...common,
          name: 'soak',
          include: ['test/**/*.test.ts'],
          testTimeout: 3_600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
          provide: { isSoak: true, isCompiled: false },
        },
      },
    ],
  },
});
