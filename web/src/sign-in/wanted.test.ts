import { describe, expect, it } from 'vitest'
import { wanted } from './wanted'

describe('where somebody was going', () => {
  it.each(['/plant/demo', '/region'])('is %s', (to) => expect(wanted(to)).toBe(to))
  it.each(['//elsewhere.example/plant/x', 'https://elsewhere.example', '/region/../x', '/', undefined, ['/region']])(
    'is not %j',
    (to) => expect(wanted(to)).toBeNull(),
  )
})
