import { describe, expect, it } from 'vitest'
import type { Condition, Occurrence } from '../api/shapes'
import { byUrgency, pointsOf, sounds } from './order'

const one = (id: string, told: Partial<Occurrence>): Occurrence => ({
  id, condition: 'c', level: 3, raised: 0, returned: null, flags: [], visible_at: 0, standing: 'unacknowledged',
  graced: false, case: null, key: null, params: {}, text: null, ...told,
})

describe('alarms in the order of their urgency', () => {
  it('puts the unacknowledged first, then level, then the newest; the settled last', () => {
    const shuffled = [
      one('settled', { standing: 'normal', returned: 9, level: 1 }),
      one('acknowledged 1', { standing: 'acknowledged', level: 1 }),
      one('old 2', { level: 2, raised: 5 }),
      one('new 2', { level: 2, raised: 8 }),
      one('first', { level: 1 }),
      one('returned', { standing: 'returned_unacknowledged', returned: 3, level: 1 }),
    ]
    expect(shuffled.sort(byUrgency).map((o) => o.id)).toEqual([
      'first', 'new 2', 'old 2', 'returned', 'acknowledged 1', 'settled',
    ])
  })
  it('sounds only for what is unacknowledged and still stands', () => {
    expect(sounds(one('a', {}))).toBe(true)
    expect(sounds(one('a', { standing: 'acknowledged' }))).toBe(false)
    expect(sounds(one('a', { standing: 'returned_unacknowledged', returned: 5 }))).toBe(false)
    expect(sounds(one('a', { standing: 'withdrawn' }))).toBe(false)
  })
})

describe('the points that an occurrence is about', () => {
  const lock: Condition = {
    id: 'lock', unit_id: 'u', text: ['', ''], kind: 'interlock', level: 1, points: ['shut', 'cut', 'drain'], gate: null, gate_values: [],
  }
  it('are those of its condition', () => expect(pointsOf(one('a', {}), lock)).toEqual(['shut', 'cut', 'drain']))
  it('are of an interlock only what had not acted', () => {
    expect(pointsOf(one('a', { params: { missing: 'cut drain' } }), lock)).toEqual(['cut', 'drain'])
  })
})
