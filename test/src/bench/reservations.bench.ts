// What a registration costs per I/O: the same load on a disk that is reserved for registrants, from a host that is one, and on a disk that nobody
// has reserved: `npm run bench -- reservations`.
//
// The load programs cannot register, and each run of theirs is another port. So a host beside them registers their node as soon as it is logged in,
// by its name alone (SPEC_I_PT), and then reserves the disk; the first hundredths of a second of each run go without.

import { setTimeout as delay } from 'node:timers/promises'
import { Initiator, persistentReserveOut, prOut, readFullStatus } from '@scsipub/testkit'
import { iqn } from '../harness/server.js'
import { alternate, type Meanwhile } from './alternate.js'
import { fillDisk, writeNoise } from './disks.js'
import type { Load } from './load.js'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import { heading, row } from './table.js'

/** At most 3 % slower. */
const GOAL = 0.97
const KEY = 0xa1
const WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5
/** What the programs call themselves. */
const NODES = ['iqn.2010-11.libiscsi:iscsi-perf', 'iqn.2008-11.org.linux-kvm']
const LOOK_MS = 5
/** The first run of a warm-up may be over before anybody is registered. */
const SHORT_MS = 500

const LOADS: readonly { name: string; load: Load }[] = [
  { name: '4 KiB random reads, depth 32', load: { program: 'iscsi-perf', kind: 'read', bytes: 4096, depth: 32 } },
  { name: '4 KiB random reads, depth 1', load: { program: 'iscsi-perf', kind: 'read', bytes: 4096, depth: 1 } },
  { name: '4 KiB scattered writes, depth 32', load: { program: 'qemu-img', kind: 'write', bytes: 4096, depth: 32 } },
  { name: '4 KiB scattered writes, depth 1', load: { program: 'qemu-img', kind: 'write', bytes: 4096, depth: 1 } },
]

/** Prints the table, line by line as it comes into being. */
export async function benchReservations({ extent, only }: Options): Promise<void> {
  await inMemory(3.1 * extent.diskBytes, async folder => {
    const noise = `${folder}/noise`
    writeNoise(noise, extent.diskBytes)
    const luns = [{ sizeBytes: extent.diskBytes }]
    const scsipub = await Scsipub.start(folder, { shared: luns, free: luns })
    try {
      const urls = { ours: scsipub.url('shared'), theirs: scsipub.url('free') }
      await fillDisk(urls.ours, noise)
      await fillDisk(urls.theirs, noise)
      const owner = await Initiator.login({ host: '127.0.0.1', port: scsipub.port }, { target: iqn('shared') })
      console.log(heading('registered', 'free'))
      for (const { name, load } of LOADS.filter(({ name }) => name.includes(only)))
        console.log(row(name, await alternate(load, urls, extent, registered(owner)), GOAL))
      await owner.close()
    } finally {
      await scsipub.stop()
    }
  })
}

/** Has the program of a run registered, and the disk reserved, while it runs. */
function registered(owner: Initiator): Meanwhile {
  return async run => {
    await good(owner, prOut.registerAndIgnoreExistingKey, { serviceActionKey: KEY })
    await good(owner, prOut.clear, { key: KEY })
    const began = performance.now()
    let over = false
    const ended = run().finally(() => {
      over = true
    })
    const [result, isRegistered] = await Promise.all([ended, registerNodes(owner, () => over)])
    if (!isRegistered && performance.now() - began > SHORT_MS)
      throw new Error('the load program is not known to the disk')
    return result
  }
}

/** Registers the owner and the nodes as soon as one of these is there, and reserves; false when the run is over before. */
async function registerNodes(owner: Initiator, over: () => boolean): Promise<boolean> {
  while (!over()) {
    await good(owner, prOut.register, { serviceActionKey: KEY, nodes: NODES })
    if ((await readFullStatus(owner)).length > 1) {
      await good(owner, prOut.reserve, { key: KEY, type: WRITE_EXCLUSIVE_REGISTRANTS_ONLY })
      return true
    }
    await good(owner, prOut.register, { key: KEY })
    await delay(LOOK_MS)
  }
  return false
}

/** @throws Error unless GOOD; unit attentions are told first */
async function good(
  owner: Initiator,
  action: number,
  fields: Parameters<typeof persistentReserveOut>[2],
): Promise<void> {
  for (;;) {
    const { status, sense } = await persistentReserveOut(owner, action, fields)
    if (status === 0) return
    if (!sense?.startsWith('6/')) throw new Error(`PERSISTENT RESERVE OUT ${action}: status ${status} ${sense ?? ''}`)
  }
}
