// What the API speaks: the mirror of src/meltwatch/present/api/shapes.py, which rules.
// Instants are ms UTC; a text is [中文, English].

export type Text = [string, string]
export type Params = Record<string, string | number>
export type Level = 1 | 2 | 3 | 4
export type Colour = 'blue' | 'yellow' | 'orange' | 'red'
export type Role =
  | 'shift' | 'safety' | 'automation'
  | 'county' | 'city' | 'province' | 'ministry' | 'admin'

export interface Account {
  login: string
  name: string
  role: Role
  enterprise: string | null
  region: string | null
}
export interface Standing {
  account: Account
  simulation: boolean
  now: number
  version: string
}
export interface Contribution {
  key: string
  params: Params
  text: Text
  colour: Colour
  since: number
  held_until: number | null
}
export interface Step {
  key: string
  params: Params
  text: Text
}
export interface Risk {
  colour: Colour | null
  unassessed: boolean
  since: number | null
  contributions: Contribution[]
  lower: Step[]
  model: string
  model_version: number
  official: boolean
}
export interface Limit {
  condition: string
  side: 'high' | 'low'
  limit: number
  level: Level
}
export interface State {
  value: number
  text: Text
}
export interface Point {
  code: string
  unit_id: string
  text: Text
  unit: string
  range: [number, number] | null
  stale_s: number | null
  states: State[]
  limits: Limit[]
  source: string
}
export interface Condition {
  id: string
  unit_id: string
  text: Text
  kind: string
  level: Level
  points: string[]
  gate: string | null
  gate_values: number[]
}
export interface Unit {
  id: string
  text: Text
  template: string
}
export interface Source {
  id: string
  offline_s: number
  clock: 'live' | 'recorded'
}
export interface Plant {
  enterprise: string
  text: Text
  module: 'aluminium-dc' | 'steel'
  region: string
  region_text: Text
  simulation: boolean
  units: Unit[]
  points: Point[]
  conditions: Condition[]
  sources: Source[]
}
export type Value = [at: number, value: number | null, quality: number]
export interface Line {
  complete_to: number | null
  heard_at: number | null
  offline_since: number | null
}
export type OccurrenceStanding =
  | 'unacknowledged' | 'acknowledged' | 'returned_unacknowledged' | 'normal' | 'withdrawn'
export interface Occurrence {
  id: string
  condition: string
  level: Level
  raised: number
  returned: number | null
  flags: string[]
  visible_at: number
  standing: OccurrenceStanding
  graced: boolean
  case: string | null
  key: string | null
  params: Params
  text: Text | null
}
export interface Deed {
  move: 'verify' | 'handle' | 'close' | 'reopen' | 'void'
  by: string
  at: number
  words: string
}
export type Move = 'verify' | 'handle' | 'close'
export interface Case {
  id: string
  condition: string
  text: Text
  level: Level
  opened_at: number
  occurrences: string[]
  progress: 'open' | 'verified' | 'handled' | 'closed' | 'void'
  deeds: Deed[]
  closed_at: number | null
  next: Move[]
}
export interface Picture {
  type: 'picture'
  enterprise: string
  number: number
  now: number
  values: Record<string, Value>
  lines: Record<string, Line>
  occurrences: Occurrence[]
  cases: Case[]
  risk: Risk | null
  core_away_since: number | null
}
export interface Delta {
  type: 'delta'
  enterprise: string
  number: number
  now: number
  values: Record<string, Value>
  lines: Record<string, Line>
  occurrences: Occurrence[]
  cases: Case[]
  gone: string[]
  risk: Risk | null
}
export interface Beat {
  type: 'beat'
  now: number
  core_away_since: number | null
}
export interface Summary {
  type: 'summary'
  enterprise: string
  text: Text
  module: 'aluminium-dc' | 'steel'
  region: string
  region_text: Text
  simulation: boolean
  now: number
  risk: Risk | null
  counts: [number, number, number, number]
  unacknowledged: number
  offline: number
  worst: Case[]
  core_away_since: number | null
}
export interface Trend {
  point: string
  at_from: number
  at_to: number
  at: number[]
  least: (number | null)[]
  most: (number | null)[]
  last: (number | null)[]
  blind: [number, number][]
}
export interface Ordered {
  command: string
  state: 'done' | 'pending'
}
export interface ProblemDocument {
  status: number
  title: string
  title_zh: string
  problems: { place: string; key: string; params: Params; zh: string; en: string }[]
}

/** Bits of a value's quality (model/quality.py). */
export const QUALITY = {
  uncertain: 1, bad: 2, substituted: 4, late: 8, corrected: 16, clock: 32, test: 64, outOfRange: 128,
} as const
