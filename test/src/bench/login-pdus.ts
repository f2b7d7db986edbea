// The bytes that a benchmark's initiator sends to log in and out: one login request straight to the operational stage, with
// nothing negotiated, and one logout request. [7143 §6.3, §11.12, §11.14]

import { encodeText, LoginStage, LogoutReason, loginRequest, logoutRequest, wholePdu } from '@scsipub/iscsi'
import { iqn } from '../harness/server.js'

const INITIATOR = 'iqn.2025-01.pub.scsipub.bench:initiator'
const TASK_TAG = 1
const CMD_SN = 1
/** ISID of the random kind: T = 10b, the rest counted up [7143 §11.12.5]. */
const RANDOM_KIND = 0x80

/** A login to `target` as the `index`-th initiator port. */
export function loginPdu(target: string, index: number): Buffer {
  const isid = Buffer.alloc(6)
  isid[0] = RANDOM_KIND
  isid.writeUInt32BE(index, 2)
  const stages = { transit: true, csg: LoginStage.operational, nsg: LoginStage.fullFeature }
  const header = loginRequest.encode({ ...stages, isid, initiatorTaskTag: TASK_TAG, cmdSn: CMD_SN })
  const pairs = [
    { key: 'InitiatorName', value: INITIATOR },
    { key: 'SessionType', value: 'Normal' },
    { key: 'TargetName', value: iqn(target) },
  ]
  return wholePdu(header, encodeText(pairs))
}

/** The logout that follows that login and its answer; `immediate`, so that no number has to be kept. */
export function logoutPdu(): Buffer {
  const fields = { immediate: true, reasonCode: LogoutReason.closeSession, initiatorTaskTag: TASK_TAG + 1 }
  return wholePdu(logoutRequest.encode({ ...fields, cmdSn: CMD_SN, expStatSn: 1 }))
}
