// Mode pages: what the unit is set to [SPC-4 §7.5, SBC-3 §6.5].
//
// Two bits can be changed, by MODE SELECT: SWP and D_SENSE of the control page. All nexuses share the values, and a reset brings the defaults
// back. There are no subpages, and no pages can be saved (PS is zero). WCE is fixed: who wants a write to be durable says FUA.

import { bit, bits, layout, u8, u16 } from '@scsipub/bytes'
import type { LogicalUnit } from '../logical-unit.js'

const pageHeader = { ps: bit(0, 7), spf: bit(0, 6), pageCode: bits(0, 0, 6), pageLength: u8(1) }

/** 01h, read-write error recovery: no recovery that could be steered [SBC-3 §6.5.8]. */
const errorRecovery = layout(12, { ...pageHeader })

/** 08h, caching. WCE: writes are answered before they are durable, unless FUA or SYNCHRONIZE CACHE asks [SBC-3 §6.5.5]. */
export const cachingPage = layout(20, { ...pageHeader, wce: bit(2, 2), rcd: bit(2, 0), nvDis: bit(13, 0) })

/**
 * 0Ah, control [SPC-4 §7.5.8]. One task set for all nexuses (TST 0), fixed format sense unless told (D_SENSE), commands in any order
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

/** What MODE SELECT can set. */
export interface ModeParameters {
  readonly softwareWriteProtect: boolean
  readonly descriptorSense: boolean
}

export interface ModePage {
  readonly code: number
  readonly defaults: Buffer
  /** The page with a one in every bit that can be changed; code and length stay [SPC-4 §6.13.3]. */
  readonly changeable: Buffer
  readonly current: (lu: LogicalUnit) => Buffer
}

/** A page of which nothing can be changed. */
function constant(code: number, defaults: Buffer): ModePage {
  const changeable = Buffer.alloc(defaults.length)
  defaults.copy(changeable, 0, 0, 2)
  return { code, defaults, changeable, current: () => defaults }
}

const controlHeader = { pageCode: 0x0a, pageLength: 0x0a } as const
const controlDefaults = { ...controlHeader, gltsd: true, queueAlgorithmModifier: 1, busyTimeoutPeriod: 0xffff }
const control: ModePage = {
  code: 0x0a,
  defaults: controlPage.encode(controlDefaults),
  changeable: controlPage.encode({ ...controlHeader, dSense: true, swp: true }),
  current: ({ descriptorSense = false, softwareWriteProtect = false }) =>
    controlPage.encode({ ...controlDefaults, dSense: descriptorSense, swp: softwareWriteProtect }),
}

/** In ascending order of page code, which is the order of the answer [SPC-4 §6.13.2]. */
const pages: readonly ModePage[] = [
  constant(0x01, errorRecovery.encode({ pageCode: 0x01, pageLength: 0x0a })),
  constant(0x08, cachingPage.encode({ pageCode: 0x08, pageLength: 0x12, wce: true })),
  control,
  constant(0x1c, informationalExceptionsPage.encode({ pageCode: 0x1c, pageLength: 0x0a, dexcpt: true })),
]

/** The page with that code, undefined when there is none. */
export function modePage(code: number): ModePage | undefined {
  return pages.find(page => page.code === code)
}

/**
 * The mode pages asked for, one after the other. `unknownPage` or `unknownSubpage` when there is no such page or subpage.
 * @param control 0 current, 1 changeable, 2 default; saved values are the caller's to refuse.
 */
export function modePages(
  lu: LogicalUnit,
  control: number,
  pageCode: number,
  subpageCode: number,
): Buffer | 'unknownPage' | 'unknownSubpage' {
  const chosen = pageCode === RETURN_ALL ? pages : pages.filter(({ code }) => code === pageCode)
  if (chosen.length === 0) return 'unknownPage'
  if (subpageCode !== 0 && subpageCode !== ALL_SUBPAGES) return 'unknownSubpage'
  return Buffer.concat(
    chosen.map(page => {
      if (control === pageControl.changeable) return page.changeable
      return control === pageControl.default ? page.defaults : page.current(lu)
    }),
  )
}
