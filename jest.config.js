/**
 * Three projects: `unit` starts no process of ours; `e2e` drives the built bundles as real processes, however busy the machine is;
 * `quiet` does so, too, and counts blocks and votes that come in time, so nothing else may run beside it (build/test.js).
 */
const quiet = ['drill', 'fleet', 'stand-in-chain'].map((name) => `<rootDir>/e2e/${name}.test.ts`);

const common = {
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript' },
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/node_modules/.cache/'],
};

export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/e2e/'],
    },
    {
      ...common,
      displayName: 'e2e',
      testMatch: ['<rootDir>/e2e/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...quiet],
    },
    { ...common, displayName: 'quiet', testMatch: quiet },
  ],
};
