import { describe, expect, it } from 'vitest'
import type { Level, Limit } from '../api/shapes'
import { windowOf, zonesOf } from './band'

const limit = (side: Limit['side'], at: number, level: Level): Limit => ({ condition: 'c', side, limit: at, level })

describe('what a band shows', () => {
  it('is the range', () => {
    expect(windowOf({ range: [0, 300], limits: [limit('low', 80, 3), limit('high', 180, 1)] })).toEqual([0, 300])
    expect(windowOf({ range: [0, 1], limits: [limit('low', 0.05, 2)] })).toEqual([0, 1])
    expect(windowOf({ range: [-20, 50], limits: [] })).toEqual([-20, 50])
  })
  it('is the beginning of the range where the high limits lie there', () => {
    const [low, high] = windowOf({ range: [0, 1000], limits: [limit('high', 24, 3), limit('high', 48, 2)] })
    expect(low).toBe(0)
    expect(high).toBeCloseTo(64.8)
  })
  it('is normal between the innermost limits, and graver beyond, the gravest on top', () => {
    const { normal, beyond } = zonesOf({ range: [0, 300], limits: [limit('high', 180, 1), limit('high', 160, 3), limit('low', 80, 3)] })
    expect(normal).toEqual([80, 160])
    expect(beyond).toEqual([
      { from: 160, to: 300, level: 3 }, { from: 0, to: 80, level: 3 }, { from: 180, to: 300, level: 1 },
    ])
  })
})
