// Who may import whom. The table below is the architecture; everything not in it is a fault. Run after the build, since
// workspaces find each other through their compiled index.
//
// Left out: undeclared packages and dead code (knip looks at those).

/** Each workspace folder and the workspaces that it may import. */
const MAY_IMPORT = {
  'packages/bytes': [],
  'packages/posix': [],
  'packages/config': [],
  'packages/cli': [],
  'packages/state': ['packages/config'],
  'packages/iscsi': ['packages/bytes'],
  'packages/scsi': ['packages/bytes'],
  'packages/contract': ['packages/bytes', 'packages/iscsi', 'packages/scsi'],
  'packages/volume': ['packages/bytes', 'packages/contract', 'packages/posix'],
  'packages/testkit': ['packages/bytes', 'packages/iscsi', 'packages/scsi', 'packages/contract'],
  'storage-engine': ['packages/(?!testkit)'],
  'session-worker': ['packages/(?!testkit)'],
  supervisor: ['packages/(?!testkit)'],
}

const WORKSPACE = '^(packages/[^/]+|storage-engine|session-worker|supervisor)/'
const TEST_FILE = '\\.test\\.ts$'

/** What only tests use: it may lean on test libraries, and nothing else may lean on it. */
const FIXTURE = '/(fixtures/.*|test-fixture\\.ts$)'

const borders = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `border-of-${folder.replace('packages/', '')}`,
  comment: `${folder} may import ${allowed.join(', ') || 'no other workspace'}`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: {
    path: WORKSPACE,
    // Test files of a service may use the test kit; that of everybody else is the table's business.
    pathNot: [`^${folder}/`, '^packages/testkit/', ...allowed.map(other => `^${other}`)],
  },
}))

export default {
  forbidden: [
    ...borders,
    {
      name: 'testkit-in-tests-only',
      comment: 'the test kit is development code: nothing that ships may need it',
      severity: 'error',
      from: { pathNot: [TEST_FILE, FIXTURE, '^test/', '^packages/testkit/'] },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'test-libraries-in-tests-only',
      comment: 'tap and fast-check are development packages',
      severity: 'error',
      from: { pathNot: [TEST_FILE, FIXTURE, '^test/', '^packages/testkit/'] },
      to: { path: 'node_modules/(tap|fast-check|@tapjs)/' },
    },
    {
      name: 'fixtures-in-tests-only',
      comment: 'fixtures are for tests and for other fixtures',
      severity: 'error',
      from: { pathNot: [TEST_FILE, FIXTURE] },
      to: { path: FIXTURE, pathNot: 'node_modules' },
    },
    {
      name: 'tests-are-leaves',
      comment: 'a test file is imported by nobody',
      severity: 'error',
      from: {},
      to: { path: TEST_FILE },
    },
    {
      name: 'no-circles',
      comment: 'modules that import each other have no order of meaning (types may)',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['^(packages/[^/]+|[^/]+)/dist/.*\\.map$'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
}
