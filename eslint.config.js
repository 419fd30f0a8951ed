import tseslint from 'typescript-eslint';

/** Import order of the house (docs/architecture.md): an import may only point left. */
const layers = {
  base: ['generated', 'domain', 'ports', 'app', 'adapters', 'api', 'gateway', 'cli', 'main'],
  generated: ['domain', 'ports', 'app', 'adapters', 'api', 'gateway', 'cli', 'main'],
  domain: ['ports', 'app', 'adapters', 'api', 'gateway', 'cli', 'main'],
  ports: ['app', 'adapters', 'api', 'gateway', 'cli', 'main'],
  app: ['adapters', 'api', 'gateway', 'cli', 'main'],
  adapters: ['app', 'api', 'gateway', 'cli', 'main'],
  api: ['adapters', 'gateway', 'cli', 'main'],
  gateway: ['app', 'adapters', 'api', 'cli', 'main'],
  cli: ['app', 'adapters', 'api', 'gateway', 'main'],
};

const pureGlobals = ['Date', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'process'].map((name) => ({
  name,
  message: 'Pure code takes the time and the world as arguments.',
}));

function layer(name, forbidden) {
  const patterns = forbidden.map((other) => ({
    group: [`**/${other}/**`],
    message: `${name} may not import ${other}.`,
  }));
  if (name === 'domain') patterns.push({ group: ['node:*'], message: 'domain has no I/O.' });
  return { files: [`src/${name}/**/*.ts`], rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

export default tseslint.config(
  { ignores: ['dist/', 'src/generated/', 'node_modules/', 'bin/', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      complexity: ['error', { max: 12, variant: 'modified' }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-extraneous-class': ['error', { allowEmpty: true }],
    },
  },
  ...Object.entries(layers).map(([name, forbidden]) => layer(name, forbidden)),
  {
    files: ['src/domain/**/*.ts', 'src/base/**/*.ts'],
    ignores: ['src/base/time.ts'],
    rules: {
      'no-restricted-globals': ['error', ...pureGlobals],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Take an Rng.' }],
    },
  },
  {
    // Worlds and stories: read once from top to bottom.
    files: ['src/demo/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // Its interface is given: those who bring a judge or a world of their own import a default.
    files: ['bench/judge/contender.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'tools/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      complexity: 'off',
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
