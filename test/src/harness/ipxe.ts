// An emulated PC without a disk that boots from the network: its card's ROM is iPXE, which gets a script from QEMU's own
// DHCP and TFTP server and runs it. The host's loopback is 10.0.2.2 for it. All that firmware and boot loader say comes back.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from './run-program.js'

/** Runs `script` until the machine halts. */
export async function bootWithIpxe(script: string, timeoutMs = 1_200_000): Promise<{ code: number; console: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-ipxe-'))
  try {
    writeFileSync(join(folder, 'boot.ipxe'), `#!ipxe\n${script}\n`)
    const machine = [
      ['-accel', 'tcg', '-m', '256', '-nodefaults', '-display', 'none', '-monitor', 'none', '-no-reboot'],
      // Without graphics the BIOS, and iPXE through it, write to the serial port.
      ['-machine', 'graphics=off', '-serial', 'stdio', '-boot', 'n'],
      ['-netdev', `user,id=net,tftp=${folder},bootfile=boot.ipxe`, '-device', 'virtio-net-pci,netdev=net'],
    ]
    const { code, stdout, stderr } = await runProgram('qemu-system-x86_64', machine.flat(), { timeoutMs })
    return { code, console: stdout + stderr }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
