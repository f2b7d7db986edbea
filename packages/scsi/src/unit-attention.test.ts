// Unit attention conditions: order, duplicates, and which commands report them [SAM-5 §5.14].

import t from 'tap'
import { senseCodes } from './sense-codes.js'
import { contextOf, dataOf, failsWith, nowhere, send } from './test-fixture.js'
import type { UnitAttention } from './unit-attention.js'
import { clearUnitAttention, establishUnitAttention, takeUnitAttention } from './unit-attention.js'

const {
  powerOnOccurred,
  powerOnOrReset,
  busDeviceResetOccurred,
  itNexusLossOccurred,
  capacityDataChanged,
  reportedLunsDataChanged,
  reservationsPreempted,
} = senseCodes

function queueOf(...conditions: UnitAttention[]): UnitAttention[] {
  const queue: UnitAttention[] = []
  for (const condition of conditions) establishUnitAttention(queue, condition)
  return queue
}

t.test('conditions are reported in the order in which they arose, each once [SAM-5 §5.14]', async t => {
  t.same(queueOf(capacityDataChanged, reservationsPreempted, capacityDataChanged), [
    capacityDataChanged,
    reservationsPreempted,
  ])
})

t.test('a reset clears what came before it, and what comes after waits behind it [SAM-5 §6.3.3]', async t => {
  t.same(queueOf(capacityDataChanged, powerOnOccurred), [powerOnOccurred])
  t.same(queueOf(powerOnOccurred, capacityDataChanged), [powerOnOccurred, capacityDataChanged])
})

t.test('an I_T nexus loss comes first and keeps the others [SAM-5 §6.3.4]', async t => {
  t.same(queueOf(capacityDataChanged, itNexusLossOccurred), [itNexusLossOccurred, capacityDataChanged])
})

t.test('of the 29/xx conditions only the most severe stays [SAM-5 §5.14.4]', async t => {
  t.same(queueOf(powerOnOccurred, itNexusLossOccurred), [powerOnOccurred])
  t.same(queueOf(itNexusLossOccurred, busDeviceResetOccurred), [busDeviceResetOccurred])
  t.same(queueOf(itNexusLossOccurred, itNexusLossOccurred), [itNexusLossOccurred])
  t.same(queueOf(powerOnOrReset, powerOnOccurred), [powerOnOrReset])
  t.same(
    queueOf(powerOnOccurred, capacityDataChanged, powerOnOccurred),
    [powerOnOccurred, capacityDataChanged],
    'one that is still pending changes nothing',
  )
})

t.test('taking and clearing', async t => {
  const queue = queueOf(capacityDataChanged, reportedLunsDataChanged)
  clearUnitAttention(queue, reportedLunsDataChanged)
  clearUnitAttention(queue, reportedLunsDataChanged)
  t.equal(takeUnitAttention(queue), capacityDataChanged)
  t.equal(takeUnitAttention(queue), undefined)
})

t.test('any command but three reports the condition, which clears it [SAM-5 §5.14]', async t => {
  for (const cdb of ['00', '28 00 00000000 00 0001 00', 'ff', '1a 00 3f 00 ff 00', '25', '28 ff ffffffff ff ffff ff']) {
    const context = contextOf()
    context.nexus.unitAttentions.push(powerOnOccurred, capacityDataChanged)
    failsWith(t, send(cdb, context), powerOnOccurred)
    failsWith(t, send(cdb, context), capacityDataChanged)
    t.equal(context.nexus.unitAttentions.length, 0, cdb)
  }
})

t.test('INQUIRY leaves it pending [SPC-4 §6.6.1]', async t => {
  const context = contextOf()
  context.nexus.unitAttentions.push(powerOnOccurred, reportedLunsDataChanged)
  t.equal(send('12 00 00 00 24 00', context).kind, 'dataIn')
  t.same(context.nexus.unitAttentions, [powerOnOccurred, reportedLunsDataChanged])
})

t.test(
  'REPORT LUNS is carried out before what is pending, and clears 3F/0E on all LUNs [SPC-4 §6.33, SAM-5 §5.14]',
  async t => {
    const context = contextOf()
    context.nexus.unitAttentions.push(powerOnOccurred, reportedLunsDataChanged)
    t.match(send('a0 00 00 00 00 00 00 00 10 00 00 00', context), { kind: 'dataIn', clears: reportedLunsDataChanged })
    t.same(context.nexus.unitAttentions, [powerOnOccurred, reportedLunsDataChanged], 'the queues are the caller’s')
    t.notMatch(send('a0 00 00 00 00 00 00 00 00 0f 00 00', context), { clears: reportedLunsDataChanged }, 'refused')
    t.notMatch(send('12 00 00 00 24 00', context), { clears: reportedLunsDataChanged }, 'INQUIRY clears nothing')
  },
)

t.test('REQUEST SENSE returns the condition as data, which clears it [SPC-4 §6.39]', async t => {
  const context = contextOf()
  context.nexus.unitAttentions.push(capacityDataChanged)
  t.equal(
    dataOf(send('03 00 00 00 fc 00', context)).toString('hex'),
    '70000600000000' + '0a' + '00000000' + '2a09' + '00000000',
  )
  t.equal(
    dataOf(send('03 01 00 00 fc 00', context)).toString('hex'),
    '7200000000000000',
    'nothing left, descriptor format',
  )
})

t.test('where there is no logical unit there is no unit attention', async t => {
  const context = nowhere()
  context.nexus.unitAttentions.push(powerOnOccurred)
  failsWith(t, send('00', context), senseCodes.logicalUnitNotSupported)
  t.equal(context.nexus.unitAttentions.length, 1)
})
