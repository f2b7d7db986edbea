// Mode pages: what the unit is set to [SPC-4 §7.5, SBC-3 §6.5].
//
// Nothing can be changed yet (there is no MODE SELECT), so the changeable masks are zero and the defaults are the current values.
// There are no subpages, and no pages can be saved (PS is zero).

import { bit, bits, layout, u8, u16 } from '@scsipub/bytes'

const pageHeader = { ps: bit(0, 7), spf: bit(0, 6), pageCode: bits(0, 0, 6), pageLength: u8(1) }

/** 01h, read-write error recovery: no recovery that could be steered [SBC-3 §6.5.8]. */
const errorRecovery = layout(12, { ...pageHeader })

/** 08h, caching. WCE: writes are answered before they are durable, unless FUA or SYNCHRONIZE CACHE asks [SBC-3 §6.5.5]. */
export const cachingPage = layout(20, { ...pageHeader, wce: bit(2, 2), rcd: bit(2, 0), nvDis: bit(13, 0) })

/**
 * 0Ah, control [SPC-4 §7.5.8]. One task set for all nexuses (TST 0), fixed format sense (D_SENSE 0), commands in any order
 * (QUEUE ALGORITHM MODIFIER 1), a CHECK CONDITION aborts nothing else (QERR 0), commands aborted by another nexus end without status (TAS 0).
 */
export const controlPage = layout(12, {
  ...pageHeader,
  tst: bits(2, 5, 3),
  dSense: bit(2, 2),
  gltsd: bit(2, 1),
  queueAlgorithmModifier: bits(3, 4, 4),
  qerr: bits(3, 1, 2),
  swp: bit(4, 3),
  tas: bit(5, 6),
  busyTimeoutPeriod: u16(8),
})

/** 1Ch, informational exceptions control: none are reported (DEXCPT) [SBC-3 §6.5.6]. */
export const informationalExceptionsPage = layout(12, { ...pageHeader, dexcpt: bit(2, 3), mrie: bits(3, 0, 4) })

/** Kinds of values, as PAGE CONTROL asks for them [SPC-4 §6.13.1]. */
export const pageControl = { current: 0, changeable: 1, default: 2, saved: 3 } as const

const RETURN_ALL = 0x3f
const ALL_SUBPAGES = 0xff

/** In ascending order of page code, which is the order of the answer [SPC-4 §6.13.2]. */
const pages: readonly { readonly code: number; readonly current: Buffer }[] = [
  { code: 0x01, current: errorRecovery.encode({ pageCode: 0x01, pageLength: 0x0a }) },
  { code: 0x08, current: cachingPage.encode({ pageCode: 0x08, pageLength: 0x12, wce: true }) },
  {
    code: 0x0a,
    current: controlPage.encode({
      pageCode: 0x0a,
      pageLength: 0x0a,
      gltsd: true,
      queueAlgorithmModifier: 1,
      busyTimeoutPeriod: 0xffff,
    }),
  },
  { code: 0x1c, current: informationalExceptionsPage.encode({ pageCode: 0x1c, pageLength: 0x0a, dexcpt: true }) },
]

/**
 * The mode pages asked for, one after the other. `unknownPage` or `unknownSubpage` when there is no such page or subpage.
 * @param control 0 current, 1 changeable, 2 default; saved values are the caller's to refuse.
 */
export function modePages(
  control: number,
  pageCode: number,
  subpageCode: number,
): Buffer | 'unknownPage' | 'unknownSubpage' {
  const chosen = pageCode === RETURN_ALL ? pages : pages.filter(({ code }) => code === pageCode)
  if (chosen.length === 0) return 'unknownPage'
  if (subpageCode !== 0 && subpageCode !== ALL_SUBPAGES) return 'unknownSubpage'
  return Buffer.concat(
    chosen.map(({ current }) => (control === pageControl.changeable ? changeable(current) : current)),
  )
}

/** The page with no bit changeable. Code and length stay [SPC-4 §6.13.3]. */
function changeable(current: Buffer): Buffer {
  const mask = Buffer.alloc(current.length)
  current.copy(mask, 0, 0, 2)
  return mask
}
