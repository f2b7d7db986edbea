// A load on a Linux guest's file system that writes and reads back all the time, and remembers when it could not, or read something else: direct writes, several at a
// time, and writes through the page cache with syncs in between. It steps back for what else the guest is told to do.

import { setTimeout } from 'node:timers/promises'
import type { Test } from 'tap'
import type { LiveGuest } from '../harness/live-guest.js'

/** Time for two rounds, also for an initiator that has to find its way back first: it tries again every few seconds, and a socket that nobody answers takes its time. */
const BACK_MS = 600_000

/** Goes on until /tmp/stop is there; leaves /tmp/NAME.failed when something went wrong. */
const worker = (name: string, options: string) => `
(
  while [ ! -e /tmp/stop ]; do
    echo round >> /tmp/${name}.rounds
    nice fio --name=${name} --filename=/mnt/${name} --size=2m --rw=randwrite --bsrange=4k-64k --verify=crc32c --do_verify=1 --verify_fatal=1 ${options} > /tmp/${name}.log 2>&1 && continue
    cp /tmp/${name}.log /tmp/${name}.failed
    break
  done
) &`

const KEPT_MIB = 2
const LOAD = [
  ': > /tmp/direct.rounds; : > /tmp/cached.rounds',
  worker('direct', '--direct=1 --ioengine=libaio --iodepth=8'),
  worker('cached', '--fsync=16 --invalidate=1 --randrepeat=0'),
].join('\n')

export class VerifiedLoad {
  readonly #guest: LiveGuest
  #device = ''
  #digest = ''

  constructor(guest: LiveGuest) {
    this.#guest = guest
  }

  /** Makes an ext4 on a device, mounts it on /mnt with a file /mnt/keep that nobody changes, and begins the load. @throws Error when a command fails */
  async begin(device: string): Promise<void> {
    const guest = this.#guest
    this.#device = device
    await guest.must(`mkfs.ext4 -q -F ${device} && mount -o errors=remount-ro ${device} /mnt`)
    await guest.must(`dd if=/dev/urandom of=/mnt/keep bs=1M count=${KEPT_MIB} conv=fsync status=none`)
    this.#digest = await guest.must('sha256sum < /mnt/keep')
    await guest.must(LOAD)
  }

  /** What `sha256sum < /mnt/keep` prints. */
  get digest(): string {
    return this.#digest
  }

  /** What a load that failed has said. */
  async failure(): Promise<string> {
    return (await this.#guest.run('cat /tmp/*.failed 2> /dev/null')).output
  }

  /** Rounds that both loads have begun. */
  async rounds(): Promise<number> {
    return (await this.#rounds()).reduce((sum, rounds) => sum + rounds, 0)
  }

  /** Both loads come to another round than they are in: all of one has been written, synced, and read back. */
  async progresses(t: Test, when: string): Promise<void> {
    const [direct = 0, cached = 0] = await this.#rounds()
    const end = performance.now() + BACK_MS
    for (;;) {
      const [directNow = 0, cachedNow = 0] = await this.#rounds()
      const { code, output } = await this.#guest.run('! cat /tmp/*.failed 2> /dev/null')
      if (code !== 0) return void t.fail(`${when}: a load failed`, { output })
      // The round that was under way may have been over but for its last write: the next one is whole.
      if (directNow >= direct + 2 && cachedNow >= cached + 2) {
        return void t.pass(`${when}: data are written and read back`)
      }
      if (performance.now() > end)
        return void t.fail(`${when}: no progress`, { output: await this.#guest.must('dmesg | tail -50') })
      await setTimeout(1000)
    }
  }

  /** Ends the load, and what else runs in the guest's background; takes the file system off, which is as it has to be. */
  async endUnharmed(t: Test): Promise<void> {
    t.same(await this.end(), [], 'nothing ever failed, and the file system is as it has to be')
  }

  /** Ends the load, and what else runs in the guest's background; takes the file system off. What is not as it has to be, in words. */
  async end(): Promise<string[]> {
    const guest = this.#guest
    const faults: string[] = []
    await guest.must('touch /tmp/stop; wait; rm /tmp/stop', BACK_MS)
    const failure = await this.failure()
    if (failure !== '') faults.push(`a load has failed: ${failure}`)
    const digest = await guest.must('sync; echo 3 > /proc/sys/vm/drop_caches; sha256sum < /mnt/keep')
    if (digest !== this.#digest) faults.push('a file that nobody has written to has changed')
    const mount = await guest.must('grep /mnt /proc/mounts')
    if (!/ rw,/.test(mount)) faults.push(`the file system is not mounted for writing: ${mount}`)
    await guest.must('umount /mnt')
    const checked = await guest.run(`e2fsck -f -n ${this.#device}`)
    if (checked.code !== 0) faults.push(`the file system is not sound: ${checked.output}`)
    return faults
  }

  async #rounds(): Promise<number[]> {
    const lines = await this.#guest.must('cat /tmp/direct.rounds | wc -l; cat /tmp/cached.rounds | wc -l')
    return lines.split('\n').map(Number)
  }
}
