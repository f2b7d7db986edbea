// VPD pages 83h and 88h: who this unit is, on every path, and which port it was asked through [SPC-4 §7.8.6, §7.8.12].
//
// The NAA designator is what ESXi and Windows clusters compare, so it comes first. The vendor-based one repeats vendor and serial
// number. Port and device are named as iSCSI wants it: SCSI name strings that hold the iSCSI name [SPC-4 §7.8.6.11, SAM-5 annex A].

import { bit, bits, layout, u8, u16 } from '@scsipub/bytes'
import type { Context, LogicalUnit, Target } from '../logical-unit.js'
import { portName, relativePort, TARGET_PORT_GROUP } from './target-port.js'
import { VENDOR } from './vendor.js'

/** Header of a designation descriptor [SPC-4 §7.8.6.1]. */
export const designatorHeader = layout(4, {
  protocolIdentifier: bits(0, 4, 4),
  codeSet: bits(0, 0, 4),
  piv: bit(1, 7),
  association: bits(1, 4, 2),
  designatorType: bits(1, 0, 4),
  designatorLength: u8(3),
})

const codeSet = { binary: 1, ascii: 2, utf8: 3 } as const
const association = { logicalUnit: 0, targetPort: 1, targetDevice: 2 } as const
const designatorType = { t10VendorId: 1, naa: 3, relativeTargetPort: 4, targetPortGroup: 5, scsiName: 8 } as const
const ISCSI = 5

const portNumber = layout(4, { value: u16(2) })

/** Body of page 83h; a well known unit has no designators of its own, only those of port and device. */
export function deviceIdentification({ lu, target }: Context): Buffer {
  return Buffer.concat([
    ...(lu === undefined ? [] : unitDesignators(lu)),
    designator('targetPort', 'binary', 'relativeTargetPort', portNumber.encode({ value: relativePort(target) })),
    designator('targetPort', 'binary', 'targetPortGroup', portNumber.encode({ value: TARGET_PORT_GROUP })),
    portDesignator(target),
    designator('targetDevice', 'utf8', 'scsiName', scsiName(target.name)),
  ])
}

/** The designation descriptors of a unit, the one that says it best first. */
export function unitDesignators({ identity }: LogicalUnit): [naa: Buffer, vendor: Buffer] {
  return [
    designator('logicalUnit', 'binary', 'naa', Buffer.from(identity.naa, 'hex')),
    designator('logicalUnit', 'ascii', 't10VendorId', Buffer.from(VENDOR + identity.serial, 'latin1')),
  ]
}

/** Whether a designation descriptor that an initiator gives is one of this unit, byte for byte. */
export function designates(designation: Buffer, lu: LogicalUnit): boolean {
  return unitDesignators(lu).some(own => own.equals(designation))
}

/** The port by its name; the same in page 88h. */
function portDesignator(target: Target): Buffer {
  return designator('targetPort', 'utf8', 'scsiName', scsiName(portName(target)))
}

/** One port of the target, with its names [SPC-4 §7.8.12]. The initiator ports are not told. */
const portDescriptor = layout(12, { relativePortIdentifier: u16(2), targetPortDescriptorsLength: u16(10) })

/** Body of page 88h: the ports of the target, of which there is one [SPC-4 §7.8.12]. */
export function scsiPorts({ target }: Context): Buffer {
  const names = portDesignator(target)
  const port = portDescriptor.encode({
    relativePortIdentifier: relativePort(target),
    targetPortDescriptorsLength: names.length,
  })
  return Buffer.concat([port, names])
}

function designator(
  of: keyof typeof association,
  code: keyof typeof codeSet,
  type: keyof typeof designatorType,
  value: Buffer,
): Buffer {
  const named = of !== 'logicalUnit'
  return Buffer.concat([
    designatorHeader.encode({
      protocolIdentifier: named ? ISCSI : 0,
      piv: named,
      codeSet: codeSet[code],
      association: association[of],
      designatorType: designatorType[type],
      designatorLength: value.length,
    }),
    value,
  ])
}

/** UTF-8, ended by at least one zero byte and padded to a multiple of four [SPC-4 §7.8.6.11]. */
function scsiName(name: string): Buffer {
  const text = Buffer.from(name, 'utf8')
  const padded = Buffer.alloc((Math.floor(text.length / 4) + 1) * 4)
  text.copy(padded)
  return padded
}
