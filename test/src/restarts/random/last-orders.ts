// The end of a run, as badly as an operator can ask for it: the server is drained in the middle of a restart, another restart is asked for, and SIGTERM comes twice. Each answer is clear,
// who is still there is asked to log out and served until then, and the process ends with code 0.

import assert from 'node:assert/strict'
import { AsyncEvent, asyncMessage } from '@scsipub/iscsi'
import { Initiator } from '@scsipub/testkit'
import { iqn } from '../../harness/server.js'
import { PINGS, type Stage } from './stage.js'

/** @throws AssertionError */
export async function endInOrder({ server }: Stage): Promise<void> {
  // Somebody who stays for a moment keeps the server there for as long.
  const guest = await Initiator.login({ host: '127.0.0.1', port: server.port }, { target: iqn(PINGS) })
  const began = server.count('restart.began')
  const restart = server.operator('POST /workers/restart')
  await server.logged('restart.began', began + 1)
  assert.equal((await server.operator('POST /drain')).status, 202)
  assert.equal((await guest.take(asyncMessage)).asyncEvent, AsyncEvent.logoutRequest)
  // The worker that was under way is the last one.
  const { status, body } = await restart
  assert.deepEqual([status, body.code], [503, 'stopping'], JSON.stringify(body))
  const late = await server.operator('POST /workers/restart')
  assert.deepEqual([late.status, late.body.code], [503, 'stopping'], JSON.stringify(late.body))
  for (let times = 0; times < 2; times++) server.signal('SIGTERM')
  await guest.ping()
  await guest.logout()
  await guest.wire.closed
  assert.equal(await server.ended(), 0, 'exit code')
}
