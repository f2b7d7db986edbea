// An emulated PC with UEFI firmware (OVMF) and no disk, whose own iSCSI initiator is set up by the firmware's variables. All
// that firmware and boot loader say comes back. The card has no ROM: nothing but the firmware can know of iSCSI.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOST_IN_GUEST } from './guest.js'
import { runProgram } from './run-program.js'
import { type UefiIscsi, uefiIscsiVariables } from './uefi-iscsi.js'
import { uefiVariables } from './uefi-variables.js'

const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd'
const MAC = '52:54:00:12:34:56'

/** Boots from LUN 0 of a target at a port of the host's loopback, until the machine halts. */
export async function bootWithUefi(
  target: Omit<UefiIscsi, 'mac' | 'address' | 'initiatorName'>,
  timeoutMs = 1_200_000,
): Promise<{ code: number; console: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-uefi-'))
  try {
    const initiatorName = 'iqn.2025-01.pub.scsipub.test:uefi'
    const flash = join(folder, 'variables')
    writeFileSync(
      flash,
      uefiVariables(uefiIscsiVariables({ ...target, initiatorName, mac: MAC, address: HOST_IN_GUEST })),
    )
    const setting = (name: string) => ['-fw_cfg', `name=opt/org.tianocore/${name},string=no`]
    const machine = [
      ['-accel', 'tcg', '-machine', 'q35', '-m', '512', '-nodefaults', '-display', 'none', '-monitor', 'none'],
      ['-no-reboot', '-serial', 'stdio'],
      ['-drive', `if=pflash,format=raw,readonly=on,file=${FIRMWARE}`, '-drive', `if=pflash,format=raw,file=${flash}`],
      ['-netdev', 'user,id=net', '-device', `virtio-net-pci,netdev=net,mac=${MAC},romfile=`],
      ...['IPv4PXESupport', 'IPv6PXESupport'].map(setting),
    ]
    const { code, stdout, stderr } = await runProgram('qemu-system-x86_64', machine.flat(), { timeoutMs })
    return { code, console: stdout + stderr }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
