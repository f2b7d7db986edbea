/** Sizes and times as people write and read them. */
import { usage } from './failure.js'

const SIZE_UNITS = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const
const TIME_UNITS = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `10G`, `512M`, `1.5T` (powers of 1024; `GiB` and `GB` mean the same), or a number of bytes. Throws `CommandFailure`. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text)
  if (!match) throw usage(`"${text}" is not a size; write 10G, 512M, or a number of bytes`)
  const unit = (match[2] ?? '').toUpperCase() as keyof typeof SIZE_UNITS
  return Math.round(Number(match[1]) * SIZE_UNITS[unit])
}

/** `7d`, `12h`, `30m`, `90s`, or a number of seconds. Throws `CommandFailure`. */
export function parseDuration(text: string): number {
  const match = /^(\d+)([smhd]?)$/.exec(text)
  if (!match) throw usage(`"${text}" is not a time; write 7d, 12h, 30m, or a number of seconds`)
  return Number(match[1]) * TIME_UNITS[(match[2] ?? '') as keyof typeof TIME_UNITS]
}

/** A whole number that stands for itself. Throws `CommandFailure`. */
export function parseNumber(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usage(`"${text}" is not ${what}`)
  return Number(text)
}

/** A size in the largest unit that leaves at least 1: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`
}

/** `2030-01-31T10:20:30.123Z` → `2030-01-31 10:20:30 UTC`. */
export function formatMoment(moment: string): string {
  return moment.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')
}
