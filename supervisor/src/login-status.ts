/**
 * The ways in which the supervisor refuses a login [7143 §11.13.5]. A passing trouble is class 3, which initiators try
 * again; class 2 is final for them, so nothing temporary may have it.
 */
import { formatAddress, type RedirectConfig } from '@scsipub/config'
import type { LoginRefusal } from '@scsipub/contract'

const refusal =
  (status: number) =>
  (why: string): LoginRefusal => ({ class: status >>> 8, detail: status & 0xff, why })

export const authenticationFailure = refusal(0x0201)
export const targetNotFound = refusal(0x0203)
export const missingParameter = refusal(0x0207)
export const sessionDoesNotExist = refusal(0x020a)
export const targetError = refusal(0x0300)
export const serviceUnavailable = refusal(0x0301)
export const outOfResources = refusal(0x0302)

/** The target is served elsewhere: 0101 for now, 0102 for good. A redirection has no portal group tag [7143 §11.13.5, §13.8]. */
export function targetMoved({ to, permanent }: RedirectConfig): LoginRefusal {
  const targetAddress = formatAddress(to)
  return { ...refusal(permanent ? 0x0102 : 0x0101)(`the target has moved to ${targetAddress}`), targetAddress }
}

export function connectionGone(): LoginRefusal {
  return serviceUnavailable('the connection has gone')
}
