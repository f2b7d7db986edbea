// Certificates for tests of TLS, made by openssl: an authority of one's own, and servers' certificates that it signs. Left out: intermediate ones, revocation.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './run-program.js'

/** Paths of PEM files. */
export interface Issued {
  readonly certificate: string
  readonly key: string
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export class CertificateAuthority {
  /** Path of its own certificate, in PEM. */
  readonly certificate: string
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
    this.certificate = join(folder, 'ca.pem')
  }

  /** Makes one, with its files in a folder. @throws Error when openssl fails */
  static async make(folder: string): Promise<CertificateAuthority> {
    mkdirSync(folder, { recursive: true })
    const authority = new CertificateAuthority(folder)
    const files = ['-keyout', join(folder, 'ca.key'), '-out', authority.certificate]
    await openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=An authority of tests', '-days', '2', ...files)
    return authority
  }

  /** A server's certificate for names such as `IP:127.0.0.1`, valid for `days` from now on, 2 unless told. @throws Error when openssl fails */
  async issue(name: string, altNames: readonly string[], { days = 2 }: { days?: number } = {}): Promise<Issued> {
    const at = (suffix: string) => join(this.#folder, `${name}.${suffix}`)
    writeFileSync(at('extensions'), `subjectAltName=${altNames.join(',')}\n`)
    await openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', at('key'), '-out', at('request'))
    const signing = ['-CA', this.certificate, '-CAkey', join(this.#folder, 'ca.key'), '-CAcreateserial']
    const files = ['-in', at('request'), '-extfile', at('extensions'), '-out', at('pem')]
    await openssl('x509', '-req', ...signing, '-days', String(days), ...files)
    return { certificate: at('pem'), key: at('key') }
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram('openssl', args)
  if (code !== 0)
    throw new Error(`openssl ${args[0]} ended with code ${code}; is the package openssl there?\n${stderr}`)
}
