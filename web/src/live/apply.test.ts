import { describe, expect, it } from 'vitest'
import type { Case, Delta, Occurrence, Picture, Risk } from '../api/shapes'
import { apply, begin } from './apply'

const occurrence = (id: string, standing: Occurrence['standing'] = 'unacknowledged'): Occurrence => ({
  id, condition: 'well-1/flow.L', level: 3, raised: 1000, returned: null, flags: [], visible_at: 1000,
  standing, graced: false, case: 'c', key: null, params: {}, text: null,
})
const opened = (id: string): Case => ({
  id, condition: 'well-1/flow.L', text: ['', ''], level: 3, opened_at: 1000, occurrences: ['a'], progress: 'open',
  deeds: [], closed_at: null, next: ['verify'],
})
const risk = (colour: Risk['colour']): Risk => ({
  colour, unassessed: false, since: null, contributions: [], lower: [], model: 'm', model_version: 1,
  official: false,
})
const picture: Picture = {
  type: 'picture', enterprise: 'e', number: 7, now: 5000, values: { p: [1000, 1, 0], q: [1000, 2, 0] },
  lines: {}, occurrences: [occurrence('a')], cases: [opened('c')], risk: risk('blue'),
  core_away_since: null,
}
const delta = (told: Partial<Delta>): Delta => ({
  type: 'delta', enterprise: 'e', number: 8, now: 6000, values: {}, lines: {}, occurrences: [], cases: [],
  gone: [], risk: null, ...told,
})

describe('a picture goes on by deltas', () => {
  it('replaces whole what a delta names and leaves the rest', () => {
    const state = begin(picture)
    expect(apply(state, delta({ values: { p: [2000, 3, 2] }, occurrences: [occurrence('a', 'acknowledged')] }))).toBe(true)
    expect(state.values.get('p')).toEqual([2000, 3, 2])
    expect(state.values.get('q')).toEqual([1000, 2, 0])
    expect(state.occurrences.get('a')?.standing).toBe('acknowledged')
    expect(state.risk?.colour).toBe('blue')
    expect([state.number, state.now]).toEqual([8, 6000])
  })
  it('takes a new colour', () => {
    const state = begin(picture)
    apply(state, delta({ risk: risk('red') }))
    expect(state.risk?.colour).toBe('red')
  })
  it('lets go of what is gone', () => {
    const state = begin(picture)
    apply(state, delta({ gone: ['a', 'c'] }))
    expect(state.occurrences.size + state.cases.size).toBe(0)
  })
  it.each([[7], [9], [100]])('does not take delta %i after 7: a gap, or one that was there', (number) => {
    const state = begin(picture)
    expect(apply(state, delta({ number, values: { p: [9000, 9, 0] } }))).toBe(false)
    expect(state.values.get('p')).toEqual([1000, 1, 0])
    expect(state.number).toBe(7)
  })
})
