// A disk of the machine that fails: a file system in a file, whose file cannot grow any more, and then is cut off. Initiators get 3/0C/00 and 3/11/00 and never wait for an answer, the session
// stays, and pings are answered. A full one (7/27/07) is in protocol/operations.test.ts. [DESIGN §4]

import { execFileSync } from 'node:child_process'
import { mkdirSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandResult, cdb, Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { withUpgradableServer } from '../harness/upgradable-server.js'
import { BLOCK, content, eventually, portal } from '../protocol/lab.js'

const MIB = 1 << 20
const MIB_BLOCKS = MIB / BLOCK
const LUN_BYTES = 16 * MIB
const config = {
  workers: 2,
  targets: [{ name: 'disk', auth: 'none', luns: [{ sizeBytes: LUN_BYTES }, { sizeBytes: LUN_BYTES }] }],
}
/** Longer than a command may take that fails, on a machine that has much to do besides. */
const PATIENCE_MS = 60_000
const FUA = 0x08

/** Where the file system lies, and where it is mounted. */
interface FailingDisk {
  readonly image: string
  readonly memory: string
  readonly folder: string
}

function mountIn(place: string): FailingDisk {
  const disk = { memory: join(place, 'memory'), folder: join(place, 'disk'), image: join(place, 'memory/image') }
  mkdirSync(disk.memory)
  mkdirSync(disk.folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk.memory])
  writeFileSync(disk.image, '')
  truncateSync(disk.image, 96 * MIB)
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-E', 'lazy_itable_init=0,nodiscard', disk.image])
  execFileSync('mount', ['-o', 'loop', disk.image, disk.folder])
  return disk
}

function unmount({ memory, folder }: FailingDisk): void {
  for (const path of [folder, memory]) execFileSync('umount', ['--lazy', path])
}

/** The answer, which has to come. */
async function answered(command: Promise<CommandResult>): Promise<CommandResult> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer came')), PATIENCE_MS)
  })
  try {
    return await Promise.race([command, late])
  } finally {
    clearTimeout(timer)
  }
}

await t.test('a disk that takes no more data, and then gives none back', async t => {
  if (process.getuid?.() !== 0) return t.fail('this test mounts file systems: run it as root')
  const disk = mountIn(t.testdir())
  try {
    await withUpgradableServer(t, { config, folder: disk.folder, mayFail: true }, async server => {
      const mediumErrors = async () => {
        const text = await (await fetch(`${server.api}/metrics`)).text()
        const counts = text.matchAll(/^scsipub_check_conditions_total\{.*sense_key="3"\} (\d+)$/gm)
        return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
      }
      const login = () => Initiator.login(portal(server), { target: iqn('disk') })
      const [one, other] = [await login(), await login()]
      await one.write(0, content(2 * MIB, 1))
      t.equal((await one.execute(cdb.synchronizeCache10())).status, 0)
      t.equal(await mediumErrors(), 0)

      const { bavail, bsize } = statfsSync(disk.memory)
      writeFileSync(join(disk.memory, 'filler'), Buffer.alloc(bavail * bsize))
      for (let at = 0; at < 12; at++) await other.write(at * MIB_BLOCKS, content(MIB, at), 1)
      t.match(await answered(other.execute(cdb.synchronizeCache10(), 1)), { status: 2, sense: '3/0c/00' })
      const fua = cdb.write10(0, 8)
      fua[1]! |= FUA
      t.match(
        await answered(other.executeWrite(fua, content(4096, 3), { lun: 1 })),
        { status: 2, sense: '3/0c/00' },
        'once data is lost nothing more is promised',
      )
      t.equal(await eventually(mediumErrors, 2), 2)
      t.ok((await one.read(0, 2 * MIB_BLOCKS)).equals(content(2 * MIB, 1)), 'the other disk is read')

      const overlay = join(server.dataDir, 'data/volumes/disk.lun0/overlay')
      execFileSync('dd', [`if=${overlay}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' }) // has the kernel forget it
      truncateSync(disk.image, 64 << 10)
      t.match(await answered(one.executeRead(cdb.read10(MIB_BLOCKS, 64), 64 * BLOCK)), { status: 2, sense: '3/11/00' })
      t.equal(await eventually(mediumErrors, 3), 3)
      for (const initiator of [one, other]) {
        const began = performance.now()
        await initiator.ping()
        t.ok(performance.now() - began < PATIENCE_MS)
        t.equal((await answered(initiator.execute(cdb.testUnitReady()))).status, 0, 'the session is there')
        await initiator.close('reset')
      }
    })
  } finally {
    unmount(disk)
  }
})
