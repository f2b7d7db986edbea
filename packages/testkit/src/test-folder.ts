/** What is needed of a test of tap. */
interface Test<Content> {
  teardown(end: () => void): void
  testdir(content?: Content): string
}

/**
 * An empty folder that goes after all that the test tears down. By itself tap removes it before, when it was made before the first thing to tear down was
 * named: from under whoever writes there still. That fails now and then, and then nothing is torn down.
 */
export function testFolder<Content>(t: Test<Content>, content?: Content): string {
  t.teardown(() => {})
  return t.testdir(content)
}
