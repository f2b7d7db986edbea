// A disk that several machines may log in to, with a password: an operator's target of the configuration.

import { iqn } from './server.js'

export interface SharedDisk {
  readonly iqn: string
  readonly user: string
  readonly secret: string
}

/** The entry of the configuration's `targets`, and what initiators have to know of it. */
export function operatorsDisk(name: string, sizeBytes: number): { target: object; disk: SharedDisk } {
  const chap = { user: 'cluster', secret: 'sixteen letters!' }
  return { target: { name, auth: { chap }, luns: [{ sizeBytes }] }, disk: { iqn: iqn(name), ...chap } }
}
