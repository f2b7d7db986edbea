/**
 * The rules that a schema cannot say: addresses, names that are used twice, names that would hide a built-in target,
 * disks without a size or not of whole blocks. Secrets that are used in both directions are in `chap-semantics.ts`.
 * Called with a file of right or wrong shape alike, so that all faults come in one message; what is misshapen is skipped.
 */
import { parseAddress } from './address.js'
import { chapFaults } from './chap-semantics.js'
import { BUILT_IN_TARGETS } from './config.js'
import type { Fault } from './faults.js'
import { parseStateUrl } from './state-url.js'

/** Faults of meaning in a configuration file of any shape. */
export function semanticFaults(file: unknown): Fault[] {
  const faults: Fault[] = []
  const advertise = textAt(file, 'advertise', 'iscsi')
  for (const service of ['iscsi', 'http']) {
    const listen = textAt(file, 'listen', service)
    if (listen !== undefined) checkAddress(faults, `listen.${service}`, listen)
  }
  if (advertise !== undefined) {
    const address = checkAddress(faults, 'advertise.iscsi', advertise)
    if (address?.port === 0)
      faults.push({ path: 'advertise.iscsi', text: 'needs the port that initiators connect to; it is 0' })
  }
  checkState(faults, at(file, 'state'))
  checkRestarts(faults, at(file, 'restarts'))
  checkTargetNames(faults, at(file, 'targets'))
  checkDisks(faults, at(file, 'targets'))
  checkTargets(faults, at(file, 'targets'))
  return [...faults, ...chapFaults(file)]
}

function checkAddress(faults: Fault[], path: string, text: string) {
  const address = parseAddress(text)
  if (typeof address !== 'string') return address
  faults.push({ path, text: address })
  return undefined
}

/** The url, and replicas only with one. A url may have a password in it, so it is not shown. */
function checkState(faults: Fault[], state: unknown): void {
  const url = textAt(state, 'url')
  const parsed = url === undefined ? undefined : parseStateUrl(url)
  if (typeof parsed === 'string') faults.push({ path: 'state.url', text: parsed })
  const replicas = at(state, 'replicas')
  if (url === undefined && typeof replicas === 'number' && replicas > 0)
    faults.push({
      path: 'state.replicas',
      text: 'has no sense without "state.url"; the embedded store has no replicas',
    })
}

function checkRestarts(faults: Fault[], restarts: unknown): void {
  if (at(restarts, 'at') === undefined || at(restarts, 'everyHours') === undefined) return
  faults.push({ path: 'restarts.at', text: 'cannot stand beside "restarts.everyHours"; choose one of them' })
}

function checkTargetNames(faults: Fault[], targets: unknown): void {
  if (!Array.isArray(targets)) return
  const first = new Map<string, number>()
  targets.forEach((target: unknown, index) => {
    const name = textAt(target, 'name')
    if (name === undefined) return
    const path = `targets[${index}].name`
    if (BUILT_IN_TARGETS.includes(name)) {
      faults.push({ path, text: `"${name}" is the name of a built-in target; choose another` })
    }
    const earlier = first.get(name)
    if (earlier === undefined) first.set(name, index)
    else faults.push({ path, text: `"${name}" is already the name of targets[${earlier}]; choose another` })
  })
}

/** A disk has a size, and consists of whole logical blocks. */
function checkDisks(faults: Fault[], targets: unknown): void {
  if (!Array.isArray(targets)) return
  targets.forEach((target: unknown, index) => {
    const luns = at(target, 'luns')
    if (!Array.isArray(luns)) return
    luns.forEach((lun: unknown, number) => {
      const path = `targets[${index}].luns[${number}]`
      const [sizeBytes, blockBytes] = [at(lun, 'sizeBytes'), at(lun, 'blockBytes')]
      if (sizeBytes === undefined && at(lun, 'image') === undefined)
        faults.push({ path, text: 'must have "sizeBytes", "image", or both' })
      if (blockBytes === 4096 && at(lun, 'physicalBlockBytes') === 512)
        faults.push({
          path: `${path}.physicalBlockBytes`,
          text: 'must not be less than its "blockBytes", 4096; it is 512',
        })
      if (typeof sizeBytes !== 'number' || blockBytes !== 4096 || sizeBytes % blockBytes === 0) return
      const text = `must be a multiple of its "blockBytes", ${blockBytes}; it is ${sizeBytes}`
      faults.push({ path: `${path}.sizeBytes`, text })
    })
  })
}

function checkTargets(faults: Fault[], targets: unknown): void {
  if (!Array.isArray(targets)) return
  targets.forEach((target: unknown, index) => {
    // Nobody gets as far as the LUNs of a target that has moved.
    if (isObject(target) && !('luns' in target) && !('redirect' in target))
      faults.push({ path: `targets[${index}].luns`, text: 'is missing; add it' })
    const to = textAt(target, 'redirect', 'to')
    const path = `targets[${index}].redirect.to`
    if (to !== undefined && checkAddress(faults, path, to)?.port === 0)
      faults.push({ path, text: 'needs the port of the other server; it is 0' })
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function at(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined
}

function textAt(value: unknown, ...path: string[]): string | undefined {
  const found = path.reduce(at, value)
  return typeof found === 'string' ? found : undefined
}
