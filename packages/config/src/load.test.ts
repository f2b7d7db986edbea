/** The configuration as an operator meets it: what is accepted, what is refused and in which words. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, loadConfig } from './index.js'

function file(t: Test, content: unknown): string {
  const path = join(t.testdir(), 'scsipub.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

function faultsOf(t: Test, content: unknown, env: NodeJS.ProcessEnv = {}): string[] {
  const path = file(t, content)
  try {
    loadConfig({ path, env })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n').map(line => line.replace(`${path}: `, ''))
  }
  return []
}

const CHAP = {
  chap: {
    user: 'u',
    secret: '0123456789abcdef',
    mutual: { user: 'target', secret: 'fedcba987654' },
    algorithms: ['sha256', 'md5'],
  },
}

t.test('without a file and without variables the defaults hold', t => {
  const config = loadConfig({ env: {} })
  t.equal(config.dataDir, join(process.cwd(), 'data'))
  t.equal(config.iqnPrefix, 'iqn.2025-01.pub.scsipub')
  t.same(config.listen.iscsi, { host: '0.0.0.0', port: 3260 })
  t.same(config.listen.http, { host: '127.0.0.1', port: 8080 })
  t.same(config.admin, {})
  t.same(config.advertise, {})
  t.ok(config.workers >= 1 && config.workers <= 64)
  t.equal(config.free.blankBytes, 67_108_864)
  t.equal(config.free.quotaBytes, 67_108_864)
  t.same(config.targets, [])
  t.same(config.discovery, { auth: 'none' })
  t.same(config.restarts, { memoryBytes: 402_653_184 })
  t.equal(config.log.level, 'info')
  t.end()
})

t.test('a full file is honoured, and a relative dataDir is relative to its folder', t => {
  const dir = t.testdir()
  mkdirSync(join(dir, 'etc'))
  const path = join(dir, 'etc', 'c.json')
  const content = {
    dataDir: './disks',
    iqnPrefix: 'iqn.2001-04.com.example',
    workers: 3,
    listen: { iscsi: '[::1]:0', http: '0.0.0.0:80' },
    admin: { token: '0123456789abcdef' },
    advertise: { iscsi: 'disks.example.com:3260' },
    free: { quotaBytes: 1024, maxSessions: 0, capLoopback: true },
    targets: [
      { name: 'lab', auth: 'none', luns: [{ sizeBytes: 512 }, { image: 'a.b' }, { image: 'c', sizeBytes: 1024 }] },
      {
        name: 'cd',
        auth: 'none',
        luns: [
          { image: 'd', blockBytes: 4096, physicalBlockBytes: 4096, readOnly: true, removable: true, thin: false },
        ],
      },
      { name: 'guarded', auth: CHAP, luns: [{ sizeBytes: 512 }] },
    ],
    discovery: { auth: CHAP },
    log: { level: 'warn' },
  }
  writeFileSync(path, JSON.stringify(content))
  const config = loadConfig({ path, env: {} })
  t.equal(config.dataDir, join(dir, 'etc', 'disks'))
  t.equal(config.workers, 3)
  t.same(config.listen.iscsi, { host: '::1', port: 0 })
  t.same(config.listen.http, { host: '0.0.0.0', port: 80 })
  t.equal(config.admin.token, '0123456789abcdef')
  t.same(config.advertise.iscsi, { host: 'disks.example.com', port: 3260 })
  t.same(config.free, {
    blankBytes: 67_108_864,
    quotaBytes: 1024,
    maxSessions: 0,
    maxSessionsPerAddress: 64,
    capLoopback: true,
  })
  t.same(config.targets, content.targets)
  t.same(config.discovery, content.discovery)
  t.equal(config.log.level, 'warn')
  t.end()
})

t.test('the result is frozen all the way down', t => {
  const config = loadConfig({
    path: file(t, { targets: [{ name: 'a', auth: 'none', luns: [{ sizeBytes: 512 }] }] }),
    env: {},
  })
  for (const part of [
    config,
    config.listen,
    config.listen.iscsi,
    config.free,
    config.targets,
    config.targets[0]?.luns[0],
  ]) {
    t.ok(Object.isFrozen(part))
  }
  t.end()
})

t.test('SCSIPUB_<PATH> overrides the file', t => {
  const path = file(t, { dataDir: 'x', workers: 1, listen: { iscsi: '127.0.0.1:1' }, log: { level: 'info' } })
  const config = loadConfig({
    path,
    env: {
      SCSIPUB_DATADIR: 'y',
      SCSIPUB_WORKERS: '7',
      SCSIPUB_LISTEN_ISCSI: '127.0.0.1:2',
      SCSIPUB_ADVERTISE_ISCSI: '[2001:db8::1]:3260',
      SCSIPUB_FREE_CAPLOOPBACK: 'true',
      SCSIPUB_LOG_LEVEL: 'debug',
      SCSIPUB_LISTEN_HTTP: '[::1]:3',
      SCSIPUB_ADMIN_TOKEN: 'fedcba9876543210',
      SCSIPUB_SERVER: 'of the command, no key',
      SCSIPUB_KEY: 'of the command, no key',
      SCSIPUB_TARGETS: '[{"name":"e","auth":"none","luns":[{"sizeBytes":512}]}]',
      UNRELATED: 'z',
    },
  })
  t.equal(config.dataDir, join(process.cwd(), 'y'))
  t.equal(config.workers, 7)
  t.equal(config.listen.iscsi.port, 2)
  t.same(config.listen.http, { host: '::1', port: 3 })
  t.equal(config.admin.token, 'fedcba9876543210')
  t.equal(config.advertise.iscsi?.host, '2001:db8::1')
  t.equal(config.free.capLoopback, true)
  t.equal(config.log.level, 'debug')
  t.equal(config.targets[0]?.name, 'e')
  t.end()
})

const lun = { sizeBytes: 512 }
const refused: [what: string, content: unknown, line: RegExp][] = [
  ['an unknown key', { workes: 1 }, /^workes is not a known key; remove it or use one of: dataDir, /],
  ['an unknown key inside', { listen: { iscsy: '' } }, /^listen\.iscsy is not a known key/],
  ['a wrong type', { workers: 'two' }, /^workers must be a whole number from 1 to 64; it is "two"/],
  ['no worker', { workers: 0 }, /^workers must be .* it is 0/],
  ['65 workers', { workers: 65 }, /^workers must be .* it is 65/],
  ['half a worker', { workers: 1.5 }, /^workers must be .* it is 1.5/],
  ['a section that is no object', { listen: '0.0.0.0:3260' }, /^listen must be an object/],
  ['an array for a file', [], /^must be an object; it is \[\]/],
  ['null for a file', 'null', /^must be an object; it is null/],
  [
    'an address without port',
    { listen: { iscsi: '0.0.0.0' } },
    /^listen\.iscsi "0.0.0.0" is not an address; write host:port/,
  ],
  ['an IPv6 address without brackets', { listen: { iscsi: '::1' } }, /^listen\.iscsi .* write \[::1\]:3260/],
  ['a port that is too high', { listen: { iscsi: '0.0.0.0:65536' } }, /^listen\.iscsi .* ports end at 65535/],
  ['an IPv4 address with five parts', { listen: { iscsi: '1.2.3.4.5:3260' } }, /^listen\.iscsi .* no valid host/],
  ['an HTTP address without port', { listen: { http: 'here' } }, /^listen\.http "here" is not an address/],
  ['a token that is soon guessed', { admin: { token: 'secret' } }, /^admin\.token must be 16 to 255 .* random ones$/],
  ['port 0 advertised', { advertise: { iscsi: 'h:0' } }, /^advertise\.iscsi needs the port/],
  ['a prefix that is no iSCSI name', { iqnPrefix: 'eui.0011' }, /^iqnPrefix must look like iqn\.2025-01/],
  ['a prefix in upper case', { iqnPrefix: 'iqn.2025-01.Com' }, /^iqnPrefix must look like/],
  ['an unknown log level', { log: { level: 'loud' } }, /^log\.level must be one of trace, debug/],
  [
    'a blank disk of an odd size',
    { free: { blankBytes: 1000 } },
    /^free\.blankBytes must be .* multiple of 512; it is 1000/,
  ],
  ['a target without a name', { targets: [{ auth: 'none', luns: [lun] }] }, /^targets\[0\]\.name is missing/],
  ['a target without auth', { targets: [{ name: 'a', luns: [lun] }] }, /^targets\[0\]\.auth is missing; write "none"/],
  [
    'a target without LUNs',
    { targets: [{ name: 'a', auth: 'none', luns: [] }] },
    /^targets\[0\]\.luns must be a list of 1 to 256/,
  ],
  [
    'a LUN of nothing',
    { targets: [{ name: 'a', auth: 'none', luns: [{}] }] },
    /^targets\[0\]\.luns\[0\] must have "sizeBytes"/,
  ],
  [
    'a LUN of 513 bytes',
    { targets: [{ name: 'a', auth: 'none', luns: [{ sizeBytes: 513 }] }] },
    /luns\[0\]\.sizeBytes .* it is 513/,
  ],
  [
    'upper case in a name',
    { targets: [{ name: 'Lab', auth: 'none', luns: [lun] }] },
    /^targets\[0\]\.name must be .* it is "Lab"/,
  ],
  ['a slash in a name', { targets: [{ name: 'a/b', auth: 'none', luns: [lun] }] }, /^targets\[0\]\.name must be/],
  [
    'dots for an image',
    { targets: [{ name: 'a', auth: 'none', luns: [{ image: '..' }] }] },
    /luns\[0\]\.image must be/,
  ],
  [
    'a disk that is not whole blocks',
    { targets: [{ name: 'a', auth: 'none', luns: [lun, { sizeBytes: 4608, blockBytes: 4096 }] }] },
    /^targets\[0\]\.luns\[1\]\.sizeBytes must be a multiple of its "blockBytes", 4096; it is 4608/,
  ],
  [
    'physical blocks that are less than logical ones',
    {
      targets: [
        { name: 'a', auth: 'none', luns: [{ ...lun, sizeBytes: 4096, blockBytes: 4096, physicalBlockBytes: 512 }] },
      ],
    },
    /^targets\[0\]\.luns\[0\]\.physicalBlockBytes must not be less than its "blockBytes", 4096; it is 512/,
  ],
  [
    'blocks of another size',
    { targets: [{ name: 'a', auth: 'none', luns: [{ ...lun, blockBytes: 1024 }] }] },
    /^targets\[0\]\.luns\[0\]\.blockBytes must be 512 or 4096; it is 1024/,
  ],
  [
    'a LUN that is nothing but read-only',
    { targets: [{ name: 'a', auth: 'none', luns: [{ readOnly: true }] }] },
    /^targets\[0\]\.luns\[0\] must have "sizeBytes"/,
  ],
  [
    'a flag that is none',
    { targets: [{ name: 'a', auth: 'none', luns: [{ ...lun, removable: 'yes' }] }] },
    /^targets\[0\]\.luns\[0\]\.removable must be true or false; it is "yes"/,
  ],
  [
    'a name that hides :blank',
    { targets: [{ name: 'blank', auth: 'none', luns: [lun] }] },
    /^targets\[0\]\.name "blank" is .* built-in/,
  ],
  ['a name that hides :multi', { targets: [{ name: 'multi', auth: 'none', luns: [lun] }] }, /"multi" is .* built-in/],
  [
    'another kind of auth',
    { targets: [{ name: 'a', auth: 'srp', luns: [lun] }] },
    /^targets\[0\]\.auth must be "none"/,
  ],
]
for (const [what, content, line] of refused) {
  t.test(`refused: ${what}`, t => {
    const faults = faultsOf(t, content)
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], line)
    t.end()
  })
}

t.test('refused: a target name used twice', t => {
  const target = { name: 'a', auth: 'none', luns: [lun] }
  t.match(faultsOf(t, { targets: [target, target] }), [/^targets\[1\]\.name "a" is already the name of targets\[0\]/])
  t.end()
})

t.test('all faults come in one message, a line each', t => {
  const faults = faultsOf(t, {
    workers: 0,
    surprise: 1,
    state: { replicas: 1 },
    listen: { iscsi: 'x', tls: {} },
    targets: [{ name: 'multi', auth: 'none', luns: [{ sizeBytes: 1 }] }],
  })
  t.equal(faults.length, 6, faults.join('\n'))
  t.end()
})

t.test('refused: text that is not JSON, with line and column', t => {
  t.match(faultsOf(t, '{\n  "workers": 2,\n  "log": }\n}'), [/^is not JSON: line 3, column 10: /])
  t.match(faultsOf(t, '{ "workers": 2'), [/^is not JSON: line 1, column 15: /])
  t.match(faultsOf(t, ''), [/^is not JSON: line 1, column 1: /])
  t.end()
})

t.test('refused: a file that is not there, or is a folder', t => {
  t.throws(() => loadConfig({ path: '/nowhere/c.json', env: {} }), { message: /c\.json: there is no such file; give/ })
  const dir = t.testdir()
  t.throws(() => loadConfig({ path: dir, env: {} }), { message: /cannot be read \(EISDIR\)/ })
  t.end()
})

t.test('refused: variables that name no key or have no sense', t => {
  const faults = faultsOf(
    t,
    {},
    { SCSIPUB_LISTN_ISCSI: 'x', SCSIPUB_WORKERS: 'many', SCSIPUB_TARGETS: '{', SCSIPUB_FREE_CAPLOOPBACK: '1' },
  )
  t.match(faults, [
    /^SCSIPUB_LISTN_ISCSI \(environment\) overrides no key/,
    /^SCSIPUB_WORKERS \(environment\) must be number; it is "many"/,
    /^SCSIPUB_TARGETS \(environment\) must be json/,
    /^SCSIPUB_FREE_CAPLOOPBACK \(environment\) must be boolean/,
  ])
  t.end()
})

t.test('keys of another version are named, and change nothing else', t => {
  const path = join(t.testdir({}), 'config.json')
  const others = {
    listen: { iscsi: '127.0.0.1:1', http: '127.0.0.1:2', tls: { cert: 'c' } },
  }
  writeFileSync(path, JSON.stringify(others))
  const config = loadConfig({ path, env: {} })
  t.same(config.unserved, ['listen.tls'])
  t.same(config.listen, { iscsi: { host: '127.0.0.1', port: 1 }, http: { host: '127.0.0.1', port: 2 } })
  t.end()
})

t.test('restarts of session workers: for their memory, and every so many hours or at a time of the day', t => {
  const restartsOf = (restarts: object) => loadConfig({ path: file(t, { restarts }) }).restarts
  t.same(restartsOf({ memoryBytes: 0, everyHours: 24 }), { memoryBytes: 0, everyHours: 24 })
  t.same(restartsOf({ at: '04:30' }), { memoryBytes: 402_653_184, at: '04:30' })
  t.equal(loadConfig({ env: { SCSIPUB_RESTARTS_AT: '23:59' } }).restarts.at, '23:59')
  for (const [restarts, fault] of [
    [{ at: '24:00' }, /restarts\.at must be a time of day such as "04:30"/],
    [{ at: '4:30' }, /restarts\.at/],
    [{ everyHours: 0 }, /restarts\.everyHours must be a whole number of hours from 1 to 8784/],
    [{ memoryBytes: -1 }, /restarts\.memoryBytes must be a number of bytes/],
    [{ everyHours: 1, at: '04:30' }, /restarts\.at cannot stand beside "restarts\.everyHours"/],
    [{ daily: true }, /restarts\.daily/],
  ] as const)
    t.match(faultsOf(t, { restarts }), [fault], JSON.stringify(restarts))
  t.end()
})

t.test('the state store: embedded unless there is a url, whose password is never shown', t => {
  t.same(loadConfig({ env: {} }).state, { replicas: 0 })
  const env = { SCSIPUB_STATE_URL: 'redis://:pw@h/1', SCSIPUB_STATE_REPLICAS: '1' }
  t.same(loadConfig({ env }).state, { url: 'redis://:pw@h/1', replicas: 1 })
  t.match(faultsOf(t, { state: { url: 'redis://:hidden@h:0' } }), [
    /^state\.url has no valid host and port; write redis:/,
  ])
  t.match(faultsOf(t, { state: { url: ['hidden'] } }), [/^state\.url must be text such as "redis:[^h]*$/])
  t.match(faultsOf(t, { state: { replicas: 1 } }), [/^state\.replicas has no sense without "state\.url"/])
  t.match(faultsOf(t, { state: { url: 'redis://h', replicas: 1.5 } }), [/^state\.replicas must be .*; it is 1\.5$/])
  t.match(faultsOf(t, { state: { adress: 1 } }), [/^state\.adress is not a known key; .* url, replicas$/])
  t.notMatch(faultsOf(t, { state: [{ url: 'hidden' }] }).join(), 'hidden')
  t.end()
})
