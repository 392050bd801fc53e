import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

const require = createRequire(import.meta.url);

// Two copies of graphql in one process refuse each other's schemas; one file for everyone prevents it.
const alias = { graphql: require.resolve('graphql') };

const common = {
  globalSetup: ['test/support/global-setup.ts'],
  setupFiles: ['test/support/leaks.ts'],
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    // Tests wait for processes, minutes and the database far more than they compute.
    maxWorkers: 4,
    projects: [
      {
        resolve: { alias },
        test: { ...common, name: 'fast', include: ['test/**/*.test.ts'], exclude: ['test/**/*.long.test.ts'] },
      },
      {
        resolve: { alias },
        test: { ...common, name: 'long', include: ['test/**/*.long.test.ts'], testTimeout: 600_000 },
      },
    ],
  },
});
