// node_modules as package-lock.json wants it. The two lists are compared package by package: file times say nothing after
// a checkout, and an installation that is right is left alone.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, ROOT } from './command.mjs'

/** Runs `npm ci` when a package of the lock file is missing or has another version. */
export async function install() {
  if (matches()) return { passed: 1, failed: 0, output: '' }
  return check('npm', ['ci', '--no-audit', '--no-fund'])
}

function matches() {
  try {
    const wanted = readLock('package-lock.json')
    const there = readLock('node_modules/.package-lock.json')
    return Object.entries(wanted).every(([path, { version, link, optional }]) => {
      if (path === '' || !path.includes('node_modules/')) return true
      const found = there[path]
      if (!found) return optional === true
      return found.version === version && found.link === link
    })
  } catch {
    return false
  }
}

function readLock(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')).packages
}
