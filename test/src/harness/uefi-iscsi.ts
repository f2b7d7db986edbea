// The settings of the iSCSI initiator in UEFI firmware (EDK II, as in Debian's OVMF): a list of "attempts", each a structure
// in a variable of its own. The firmware insists on eight of them; the first is used here, the others are off.

import type { UefiVariable } from './uefi-variables.js'

export interface UefiIscsi {
  readonly initiatorName: string
  readonly targetName: string
  /** IPv4 address and port of the portal. */
  readonly address: string
  readonly port: number
  /** Address of the card that is used, as `52:54:00:…`. */
  readonly mac: string
  /** CHAP is offered, and asked for, only with these. */
  readonly chap?: { readonly user: string; readonly secret: string }
}

const INITIATOR = '59324945-ec44-4c0d-b1cd-9db139df070c'
const SETTINGS = '4b47d616-a8d6-4552-9d44-ccad2e0f4cf9'
const ATTEMPTS = 8

/** Where the fields of an attempt are, in bytes: a packed structure of 1049. */
const at = {
  index: 17,
  name: 26,
  mac: 38,
  port: 182,
  enabled: 184,
  initiatorFromDhcp: 222,
  targetName: 224,
  targetAddress: 448,
  connectTimeoutMs: 473,
  retries: 475,
  isid: 476,
  authentication: 757,
  chapName: 759,
  chapSecret: 886,
  active: 1048,
} as const
const ATTEMPT_BYTES = 1049
const CHAP = 1

/** The variables that make the firmware log in, with an address from DHCP. */
export function uefiIscsiVariables(settings: UefiIscsi): UefiVariable[] {
  const numbers = Array.from({ length: ATTEMPTS }, (_, index) => index + 1)
  return [
    ...numbers.map(number => ({
      vendor: INITIATOR,
      name: `Attempt ${number}`,
      data: attempt(number, number === 1 ? settings : undefined),
    })),
    { vendor: SETTINGS, name: 'InitialAttemptOrder', data: Buffer.from(numbers) },
    { vendor: SETTINGS, name: 'AttemptOrder', data: Buffer.from([1]) },
    { vendor: INITIATOR, name: 'I_NAME', data: Buffer.from(`${settings.initiatorName}\0`) },
  ]
}

function attempt(number: number, settings: UefiIscsi | undefined): Buffer {
  const data = Buffer.alloc(ATTEMPT_BYTES)
  data[at.index] = number
  data.write(`Attempt ${number}`, at.name)
  if (!settings) return data
  data.write(settings.mac, at.mac)
  data.writeUInt16LE(settings.port, at.port)
  data[at.enabled] = 1
  data[at.initiatorFromDhcp] = 1
  data.write(settings.targetName, at.targetName)
  Buffer.from(settings.address.split('.').map(Number)).copy(data, at.targetAddress)
  data.writeUInt16LE(5000, at.connectTimeoutMs)
  data[at.retries] = 2
  // Of the random format [7143 §11.12.5].
  data.write('801234560001', at.isid, 'hex')
  if (settings.chap) {
    data[at.authentication] = CHAP
    data.write(settings.chap.user, at.chapName)
    data.write(settings.chap.secret, at.chapSecret)
  }
  data[at.active] = 1
  return data
}
