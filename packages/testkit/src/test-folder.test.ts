import { existsSync } from 'node:fs'
import t from 'tap'
import { testFolder } from './test-folder.js'

t.test('the folder is there while a test tears down, and gone afterwards', async t => {
  let folder = ''
  let wasThere = false
  await t.test('one that has a folder first, and something to end later', async t => {
    folder = testFolder(t, { file: '' })
    t.ok(existsSync(`${folder}/file`))
    t.teardown(() => {
      wasThere = existsSync(folder)
    })
  })
  t.ok(wasThere)
  t.notOk(existsSync(folder))
})
