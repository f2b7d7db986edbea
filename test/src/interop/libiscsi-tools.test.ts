// libiscsi's command-line tools against the server: what it lists, what it says about its disks, and that it moves data.

import t, { type Test } from 'tap'
import { runProgram } from '../harness/run-program.js'
import { iqn, type Server, withServer } from '../harness/server.js'

const VPD_PAGES = ['00', '80', '83', '86', '87', '88', '8f', 'b0', 'b1', 'b2']

/** The tool cannot decode these; the Linux guest reads them. */
const UNKNOWN_TO_THE_TOOL = ['86', '87', '88', '8f']

t.test('libiscsi tools', async t => {
  const config = { targets: [{ name: 'disk', auth: 'none', luns: [{ sizeBytes: 16 << 20 }] }] }
  await withServer(t, { config, images: { picture: Buffer.alloc(1 << 20, 7) } }, async server => {
    await lists(t, server)
    await describes(t, server)
    await refuses(t, server)
    await moves(t, server)
  })
})

async function lists(t: Test, server: Server): Promise<void> {
  const { code, stdout } = await runProgram('iscsi-ls', ['--show-luns', `iscsi://${server.portal}`])
  t.equal(code, 0, 'iscsi-ls -s')
  const names = [...stdout.matchAll(/^Target:(\S+) Portal:(\S+)$/gm)].map(([, name, portal]) => `${name} ${portal}`)
  const expected = ['blank', 'disk', 'multi', 'picture'].map(name => `${iqn(name)} ${server.portal},1`)
  t.same(names.toSorted(), expected, 'free targets, catalog and own targets, at the address connected to')
  const luns = new Map(
    stdout.split(/^Target:/m).map(part => [part.split(' ', 1)[0], [...part.matchAll(/^Lun:(\d+)/gm)].length]),
  )
  t.equal(luns.get(iqn('blank')), 1)
  t.ok((luns.get(iqn('multi')) ?? 0) > 1, 'several LUNs on one target')
  t.notMatch(stdout, /STORAGE_ARRAY|UNKNOWN/i, 'disks only')
}

async function describes(t: Test, server: Server): Promise<void> {
  const url = server.url('blank')
  const standard = await runProgram('iscsi-inq', [url])
  t.equal(standard.code, 0, 'iscsi-inq')
  t.match(standard.stdout, /Peripheral Device Type:DIRECT_ACCESS/)
  t.match(standard.stdout, /Vendor:SCSIPUB/)
  t.match(standard.stdout, /CmdQue:1/)
  const supported = await runProgram('iscsi-inq', ['--evpd=1', '--pagecode=0', url])
  const pages = [...supported.stdout.matchAll(/Page:0x([0-9a-f]{2})/gi)].map(match => match[1]?.toLowerCase())
  t.same(pages, VPD_PAGES, 'VPD pages, in ascending order [SPC-4 §7.8.14]')
  for (const page of VPD_PAGES.filter(page => !UNKNOWN_TO_THE_TOOL.includes(page))) {
    const { code, stdout } = await runProgram('iscsi-inq', ['--evpd=1', `--pagecode=${Number.parseInt(page, 16)}`, url])
    t.equal(code, 0, `VPD page ${page}`)
    t.not(stdout.trim(), '', `VPD page ${page} says something`)
  }
  const size = await runProgram('iscsi-readcapacity16', [url])
  t.match(size.stdout, /Total size:67108864/, 'the blank disk has 64 MiB')
}

async function refuses(t: Test, server: Server): Promise<void> {
  const nowhere = await runProgram('iscsi-inq', [server.url('nothing-of-this-name')])
  t.not(nowhere.code, 0, 'a target that does not exist')
  t.match(
    nowhere.stderr + nowhere.stdout,
    /0x0203|Target not found|515/i,
    'is refused with status 0203 [7143 §11.13.5]',
  )
}

async function moves(t: Test, server: Server): Promise<void> {
  for (const mode of [[], ['--random']]) {
    const { code, stdout, stderr } = await runProgram('iscsi-perf', [
      ...mode,
      '-b',
      '8',
      '-m',
      '32',
      '-t',
      '2',
      server.url('disk'),
    ])
    t.equal(code, 0, `iscsi-perf ${mode.join(' ')}`, { stderr })
    const iops = [...stdout.matchAll(/iops average (\d+)/g)].map(match => Number(match[1])).at(-1)
    t.ok((iops ?? 0) > 0, `reads per second: ${iops}`)
  }
}
