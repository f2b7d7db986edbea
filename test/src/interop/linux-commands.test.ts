// Every command of the command table that Linux' own tools can send, by these tools: sg3_utils, sdparm, and the kernel's block
// layer with a file system that gives its space back.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { commandTable } from '@scsipub/scsi'
import { freePort } from '@scsipub/testkit'
import t from 'tap'
import { HOST_IN_GUEST, runGuest } from '../harness/guest.js'
import { iqn, withServer } from '../harness/server.js'
import { PREPARE, toolSteps } from './linux-tools.js'

const MIB = 1 << 20
const DISKS = { a: {}, b: {}, r: { removable: true }, k: { blockBytes: 4096 }, o: { readOnly: true }, u: {}, s: {} }
const SIZES: Readonly<Record<string, number>> = { k: 16 * MIB, u: 64 * MIB }
const luns = Object.entries(DISKS).map(([name, kind]) => ({ sizeBytes: SIZES[name] ?? 8 * MIB, ...kind }))
/** More than is written to all disks but $u, where 40 MiB come and go. */
const MOST_BYTES_LEFT = 40 * MIB

/** Codes as in `ToolStep`. */
const supported = new Set(
  Object.entries(commandTable).flatMap(([opcode, entry]) => {
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(2, '0')
    const code = hex(Number(opcode))
    return 'serviceActions' in entry
      ? Object.keys(entry.serviceActions).map(action => `${code}/${hex(Number(action))}`)
      : [code]
  }),
)
const steps = toolSteps.filter(({ code }) => supported.has(code))

function script(portal: string): string {
  const node = `iscsiadm -m node -T ${iqn('tools')} -p ${portal}`
  return `
step discovery iscsiadm -m discovery -t sendtargets -p ${portal}
step login ${node} --login
${Object.keys(DISKS)
  .map((name, lun) => `${name}=$(disk :tools ${lun})`)
  .join('\n')}
export PATH ${Object.keys(DISKS).join(' ')}
${PREPARE}
${steps.map(({ name, line }) => `run() { ${line}; }\nstep ${name} run`).join('\n')}
udevadm settle
step logout ${node} --logout
step kernel sh -c 'dmesg | grep -i -E "iscsi|I/O error" | grep -v -E "Attached|Loading|registered|Direct-Access"'
exit 0
`
}

t.test('Linux tools send every command', async t => {
  const port = await freePort()
  const portal = `${HOST_IN_GUEST}:${port}`
  const config = { advertise: { iscsi: portal }, targets: [{ name: 'tools', auth: 'none', luns }] }
  await withServer(t, { port, config }, async server => {
    const run = await runGuest(script(portal))
    t.equal(run.exit, 0, 'the guest came to its end')
    for (const { code, name, exit = 0, says } of steps) {
      const step = run.steps.get(name)
      t.equal(step?.code, exit, `${code} ${name}: exit code ${exit}`, { output: step?.output })
      if (says) t.match(step?.output, says, `${code} ${name} says ${says}`)
    }
    t.equal(run.steps.get('logout')?.code, 0, 'logout')
    t.notMatch(
      run.console + (run.steps.get('kernel')?.output ?? ''),
      /conn error|detected conn/,
      'no connection was lost',
    )
    if (supported.has('42'))
      t.ok(allocatedBytes(server.dataDir) < MOST_BYTES_LEFT, 'what fstrim gave back is free again')
    if (!t.passing()) t.comment(`guest:\n${run.output}\n${run.console}`)
  })
})

/** Bytes that the files below a folder take on the disk. */
function allocatedBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(file => statSync(join(folder, file), { throwIfNoEntry: false })) // the server may remove one meanwhile
    .filter(file => file?.isFile())
    .reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0)
}
