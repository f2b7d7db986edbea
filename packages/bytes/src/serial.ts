// Serial numbers modulo 2^32 [RFC 1982], as CmdSN, StatSN, DataSN and R2TSN are compared [7143 §4.2.2.1].
//
// Two numbers exactly 2^31 apart have no order in RFC 1982. Here they count as "less" in both directions, which is what
// the signed difference gives; no window of ours comes near that distance.

/** `a` advanced by `n`, which may be negative; modulo 2^32. */
export function snAdd(a: number, n: number): number {
  return (a + n) >>> 0
}

/** Signed distance from `b` to `a`, -2^31 to 2^31-1: positive when `a` comes after `b`. */
export function snDiff(a: number, b: number): number {
  return (a - b) | 0
}

/** `a` comes before `b`. */
export function snLt(a: number, b: number): boolean {
  return snDiff(a, b) < 0
}

/** `a` is `b` or comes before it. */
export function snLte(a: number, b: number): boolean {
  return snDiff(a, b) <= 0
}

/** `a` comes after `b`. */
export function snGt(a: number, b: number): boolean {
  return snDiff(a, b) > 0
}

/** `a` is `b` or comes after it. */
export function snGte(a: number, b: number): boolean {
  return snDiff(a, b) >= 0
}
