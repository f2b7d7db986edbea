// What changes files, asked for over HTTP or by an initiator, and how it is told whether it was done wholly: for tests in which the storage engine ends meanwhile.

import { cdb, Initiator } from '@scsipub/testkit'
import type { Test } from 'tap'
import { BLANK, BLOCK, content, until, volumeFiles } from '../protocol/lab.js'
import { type Answer, type Leased, logIn, loginTo, MIB, type Tenant } from '../protocol/lease-lab.js'
import type { EngineLab } from './engine-lab.js'

interface Image {
  readonly id: string
}

/** What is done, and looked at afterwards. `answer`: of the call that met the end of the engine. */
export interface Round {
  act(): Promise<Answer<unknown> | undefined>
  check(t: Test, answer: Answer<unknown> | undefined): Promise<void>
}

export class Rounds {
  readonly lab: EngineLab
  readonly tenant: Tenant

  constructor(lab: EngineLab, tenant: Tenant) {
    this.lab = lab
    this.tenant = tenant
  }

  ask<T>(what: string, body?: object): Promise<Answer<T>> {
    return this.tenant.ask<T>(this.lab, what, body)
  }

  /** A lease with something on LUN 0, which nobody uses. */
  async written(luns = 1): Promise<Leased> {
    const lease = await this.tenant.lease(this.lab, { luns: Array.from({ length: luns }, () => ({ size_bytes: MIB })) })
    await this.use(lease, async disk => {
      for (let lun = 0; lun < luns; lun++) await disk.write(8, content(8 * BLOCK, lun + 1), lun)
      await disk.execute(cdb.synchronizeCache10())
    })
    return lease
  }

  async use(lease: Leased, act: (disk: Initiator) => Promise<void>): Promise<void> {
    const disk = await logIn(this.lab, lease)
    await act(disk)
    await disk.logout()
    await disk.close()
    await until('it is suspended', () => this.lab.server.sessionCount === 1)
  }

  /** Whether the disk has what `written` has put there. */
  async isWhole(lease: Leased, lun = 0): Promise<boolean> {
    let found = false
    await this.use(lease, async disk => {
      found = (await disk.read(8, 8, lun)).equals(content(8 * BLOCK, lun + 1))
    })
    return found
  }

  async remove(lease: Leased): Promise<number> {
    return (await this.ask(`DELETE /api/sessions/${lease.id}`)).status
  }
}

/** All that changes files, by what it is. */
export const OPERATIONS: Readonly<Record<string, (rounds: Rounds) => Promise<Round>>> = {
  'a lease of two LUNs is made': async rounds => ({
    act: () => rounds.ask<Leased>('POST /api/sessions', { luns: [{ size_bytes: MIB }, { size_bytes: 2 * MIB }] }),
    check: async (t, answer) => {
      t.equal(answer?.status, 201, JSON.stringify(answer?.body))
      const lease = answer!.body as Leased
      await rounds.use(lease, async disk => {
        await disk.write(4095, content(BLOCK, 1), 1)
        t.ok((await disk.read(0, 2048)).equals(Buffer.alloc(MIB)), 'it is blank')
      })
      t.equal(await rounds.remove(lease), 204)
    },
  }),
  'a snapshot of a disk in use, and a clone of it': async rounds => {
    const lease = await rounds.written()
    const disk = await logIn(rounds.lab, lease)
    let image: Image | undefined
    return {
      act: async () => {
        const made = await rounds.ask<Image>(`POST /api/sessions/${lease.id}/snapshot`, { name: 'kept' })
        image = made.status === 201 ? made.body : undefined
        return image ? rounds.ask<Leased>('POST /api/sessions', { image: image.id }) : made
      },
      check: async (t, answer) => {
        t.equal(answer?.status, 201, JSON.stringify(answer?.body))
        await disk.write(8, content(8 * BLOCK, 9))
        t.ok((await disk.read(8, 8)).equals(content(8 * BLOCK, 9)), 'the disk goes on, on the same connection')
        await disk.logout()
        await disk.close()
        await until('it is suspended', () => rounds.lab.server.sessionCount === 1)
        const clone = answer!.body as Leased
        t.ok(await rounds.isWhole(clone), 'the clone has what was there at that moment')
        t.equal((await rounds.ask(`DELETE /api/images/${image?.id}`)).status, 409, 'a disk stands on it')
        for (const disk of [clone, lease]) t.equal(await rounds.remove(disk), 204)
        t.equal((await rounds.ask(`DELETE /api/images/${image?.id}`)).status, 204)
      },
    }
  },
  'a private image is removed': async rounds => {
    const lease = await rounds.written()
    const { body: image } = await rounds.ask<Image>(`POST /api/sessions/${lease.id}/snapshot`, { name: 'kept' })
    // It stands on its snapshot, too.
    await rounds.remove(lease)
    return {
      act: () => rounds.ask(`DELETE /api/images/${image.id}`),
      check: async (t, answer) => {
        t.equal(answer?.status, 204, JSON.stringify(answer?.body))
        t.equal((await rounds.ask(`DELETE /api/images/${image.id}`)).status, 404)
      },
    }
  },
  'a disk in use grows': async rounds => {
    const lease = await rounds.written()
    const disk = await logIn(rounds.lab, lease)
    return {
      act: () => rounds.ask(`PATCH /api/sessions/${lease.id}/luns/0`, { size_bytes: 4 * MIB }),
      check: async (t, answer) => {
        t.equal(answer?.status, 200, JSON.stringify(answer?.body))
        t.equal((await disk.execute(cdb.testUnitReady())).sense, '6/2a/09', 'CAPACITY DATA HAS CHANGED')
        await disk.write(8191, content(BLOCK, 5))
        t.ok((await disk.read(8191, 1)).equals(content(BLOCK, 5)), 'it has its new end')
        t.ok((await disk.read(8, 8)).equals(content(8 * BLOCK, 1)), 'and all that was there')
        await disk.logout()
        await disk.close()
        await until('it is suspended', () => rounds.lab.server.sessionCount === 1)
        t.equal(await rounds.remove(lease), 204)
      },
    }
  },
  'a LUN is removed from a lease in use': async rounds => {
    const lease = await rounds.written(2)
    const disk = await logIn(rounds.lab, lease)
    return {
      act: () => rounds.ask(`DELETE /api/sessions/${lease.id}/luns/1`),
      check: async (t, answer) => {
        t.equal(answer?.status, 200, JSON.stringify(answer?.body))
        t.equal((await disk.execute(cdb.testUnitReady(), 1)).sense, '5/25/00')
        t.equal((await disk.execute(cdb.testUnitReady())).sense, '6/3f/0e', 'REPORTED LUNS DATA HAS CHANGED')
        t.ok((await disk.read(8, 8)).equals(content(8 * BLOCK, 1)), 'the other one goes on')
        await disk.logout()
        await disk.close()
        t.notOk(
          volumeFiles(rounds.lab).some(path => path.includes(`lease_${lease.id}.lun1/`)),
          'its files are gone',
        )
        await until('it is suspended', () => rounds.lab.server.sessionCount === 1)
        t.equal(await rounds.remove(lease), 204)
      },
    }
  },
  'a volume is closed after its last session': async rounds => {
    const lease = await rounds.written()
    const disk = await logIn(rounds.lab, lease)
    await disk.write(64, content(64 * BLOCK, 7))
    return {
      act: async () => {
        await disk.logout()
        await disk.close()
        await until('it is suspended', () => rounds.lab.server.sessionCount === 1)
        // An answer to this comes after those to what was asked of the engine before.
        return rounds.ask('POST /api/sessions', { size_bytes: MIB })
      },
      check: async (t, answer) => {
        t.equal(answer?.status, 201, JSON.stringify(answer?.body))
        t.equal(await rounds.remove(answer!.body as Leased), 204)
        t.ok(await rounds.isWhole(lease))
        await rounds.use(lease, async again => {
          t.ok((await again.read(64, 64)).equals(content(64 * BLOCK, 7)), 'what was written last')
        })
        t.equal(await rounds.remove(lease), 204)
      },
    }
  },
  'a lease is removed while it is in use': async rounds => {
    const lease = await rounds.written(2)
    const disk = await logIn(rounds.lab, lease)
    return {
      act: () => rounds.ask(`DELETE /api/sessions/${lease.id}`),
      check: async (t, answer) => {
        t.equal(answer?.status, 204, JSON.stringify(answer?.body))
        await disk.wire.closed
        t.equal((await rounds.ask(`GET /api/sessions/${lease.id}`)).status, 404)
        await t.rejects(Initiator.login(rounds.lab.portal, loginTo(lease)))
      },
    }
  },
  'an anonymous disk is written to for the first time, and goes': async rounds => {
    const disk = await Initiator.login(rounds.lab.portal, { target: BLANK })
    return {
      act: async () => {
        await disk.write(0, content(8 * BLOCK, 3))
        return undefined
      },
      check: async t => {
        t.ok((await disk.read(0, 8)).equals(content(8 * BLOCK, 3)))
        await disk.logout()
        await disk.close()
      },
    }
  },
}
