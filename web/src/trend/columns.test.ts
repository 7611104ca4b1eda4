import { describe, expect, it } from 'vitest'
import type { Condition, Occurrence, Point, Trend } from '../api/shapes'
import { columnsOf, joined, limitsOf, marksOf, scaleOf } from './columns'

const trend = (told: Partial<Trend>): Trend => ({
  point: 'p', at_from: 0, at_to: 9000, at: [1000, 2000, 8000], least: [1, 0.2, 8], most: [1, 9, 8], last: [1, 2, 8], blind: [], ...told,
})
const point = (code: string, unit: string, limit: number): Point => ({
  code, unit_id: 'u', text: ['', ''], unit, range: null, stale_s: 10, states: [], source: 's',
  limits: [{ condition: `${code}.L`, side: 'low', limit, level: 3 }],
})
const occurrence = (condition: string, told: Partial<Occurrence> = {}): Occurrence => ({
  id: condition, condition, level: 2, raised: 5000, returned: null, flags: [], visible_at: 0, standing: 'unacknowledged',
  graced: false, case: null, key: null, params: {}, text: null, ...told,
})
const condition = (id: string, points: string[]): Condition => ({
  id, unit_id: 'u', text: ['', ''], kind: 'low', level: 2, points, gate: null, gate_values: [],
})

describe('a trend as columns', () => {
  it('keeps the extremes beside the last values', () => {
    expect(columnsOf(trend({}))).toEqual([[1, 2, 8], [1, 2, 8], [1, 0.2, 8], [1, 9, 8]])
  })
  it('breaks where it is blind, also where the blind time began before it', () => {
    const [at, last] = columnsOf(trend({ blind: [[-500, 500], [3000, 7000]] }))
    expect(at).toEqual([-0.5, 1, 2, 3, 8])
    expect(last).toEqual([null, 1, 2, null, 8])
  })
  it('keeps a value that was the last one before the blind time', () => {
    expect(columnsOf(trend({ blind: [[2000, 7000]] }))[1]).toEqual([1, 2, null, 8])
  })
})

describe('intervals', () => {
  it('are joined where they touch', () => {
    expect(joined([[5, 9], [0, 2], [2, 3], [6, 7]])).toEqual([[0, 3], [5, 9]])
  })
})

describe('the scale', () => {
  it('shows the limits too', () => expect(scaleOf(0.2, 0.22, [0.05], null)[0]).toBeLessThan(0.05))
  it('is the range where there is no value', () => expect(scaleOf(null, null, [], [0, 400])).toEqual([0, 400]))
  it('has room for a value that stands still', () => expect(scaleOf(8, 8, [], null)).toEqual([7.2, 8.8]))
})

describe('marks and limits', () => {
  const conditions = new Map([['p.L', condition('p.L', ['p'])], ['q.L', condition('q.L', ['q'])]])
  it('are of the points shown, without what was withdrawn', () => {
    const all = [occurrence('q.L'), occurrence('p.L'), occurrence('p.L', { standing: 'withdrawn' })]
    expect(marksOf(all, conditions, [point('p', 'mm', 1)]).map((one) => one.condition)).toEqual(['p.L'])
  })
  it('are drawn for points of one unit, not across units', () => {
    expect(limitsOf([point('p', 'mm', 1), point('q', 'mm', 2)]).map((one) => one.limit)).toEqual([1, 2])
    expect(limitsOf([point('p', 'mm', 1), point('q', 'kN', 2)])).toEqual([])
  })
})
