import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { instantOf, valueOf } from './format'
import { zh } from './zh'

type Tree = { [key: string]: string | Tree }
const keys = (tree: Tree, before = ''): string[] =>
  Object.entries(tree).flatMap(([key, one]) => (typeof one === 'string' ? [before + key] : keys(one, `${before}${key}.`)))
const parameters = (tree: Tree, key: string): string[] => {
  const found = key.split('.').reduce<string | Tree>((at, part) => (at as Tree)[part]!, tree) as string
  return [...found.matchAll(/\{(\w+)\}/g)].map((one) => one[1]!).sort()
}
const files = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? files(path) : [path]
  })

const sources = files('src')
  .filter((path) => /\.(vue|ts)$/.test(path) && !path.endsWith('.test.ts') && !/words\/(zh|en)\.ts$/.test(path))
  .map((path) => readFileSync(path, 'utf8'))
/** Keys named whole, and the beginnings of those that are put together: t(`level.${level}`). */
const whole = sources.flatMap((text) => [...text.matchAll(/'([a-zA-Z]+(?:\.[\w-]+)+|[a-zA-Z]+)'/g)].map((one) => one[1]!))
const begun = sources.flatMap((text) => [...text.matchAll(/\bt\(`([\w.]+\.)\$\{/g)].map((one) => one[1]!))

describe('the words of the screens', () => {
  it('are the same keys in both languages', () => expect(keys(en)).toEqual(keys(zh)))
  it('take the same parameters in both languages', () => {
    for (const key of keys(zh)) expect(parameters(en, key), key).toEqual(parameters(zh, key))
  })
  it('are there for every key that a screen names', () => {
    const known = new Set(keys(zh))
    const named = sources.flatMap((text) => [...text.matchAll(/\bt\('([\w.-]+)'/g)].map((one) => one[1]!))
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter((key) => !known.has(key))).toEqual([])
    expect(begun.length).toBeGreaterThan(5)
    expect(begun.filter((start) => ![...known].some((key) => key.startsWith(start)))).toEqual([])
  })
  it('are all said somewhere', () => {
    const said = (key: string) => whole.includes(key) || begun.some((start) => key.startsWith(start))
    expect(keys(zh).filter((key) => !said(key))).toEqual([])
  })
})

describe('instants and values', () => {
  const noon = Date.UTC(2026, 2, 1, 4, 0, 0)
  it('are in the time of China', () => expect(instantOf(noon, noon)).toBe('12:00:00'))
  it('carry the year in another year', () => expect(instantOf(noon, noon + 400 * 86_400_000)).toBe('2026-03-01 12:00:00'))
  it('begin the day at 00', () => expect(instantOf(noon - 12 * 3_600_000 + 5000, noon)).toBe('00:00:05'))
  it('carry the date on another day', () => expect(instantOf(noon, noon + 86_400_000)).toBe('03-01 12:00:00'))
  it.each([
    [0.0213, [0, 1], '0.021'],
    [21.44, [0, 400], '21.4'],
    [8.004, [0, 50], '8.00'],
    [1216.2, [0, 8000], '1216'],
  ] as [number, [number, number], string][])('%f in %j is %s', (value, range, shown) => expect(valueOf(value, range)).toBe(shown))
})
