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

describe('the words of the screens', () => {
  it('are the same keys in both languages', () => expect(keys(en)).toEqual(keys(zh)))
  it('take the same parameters in both languages', () => {
    for (const key of keys(zh)) expect(parameters(en, key), key).toEqual(parameters(zh, key))
  })
  it('are there for every key that a screen names', () => {
    const known = new Set(keys(zh))
    const named = files('src')
      .filter((path) => /\.(vue|ts)$/.test(path) && !path.endsWith('.test.ts'))
      .flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/\bt\('([\w.-]+)'/g)].map((one) => one[1]!))
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter((key) => !known.has(key))).toEqual([])
  })
})

describe('instants and values', () => {
  const noon = Date.UTC(2026, 2, 1, 4, 0, 0)
  it('are in the time of China', () => expect(instantOf(noon, noon)).toBe('12:00:00'))
  it('carry the date on another day', () => expect(instantOf(noon, noon + 86_400_000)).toBe('03-01 12:00:00'))
  it.each([
    [0.0213, [0, 1], '0.021'],
    [21.44, [0, 400], '21.4'],
    [8.004, [0, 50], '8.00'],
    [1216.2, [0, 8000], '1216'],
  ] as [number, [number, number], string][])('%f in %j is %s', (value, range, shown) => expect(valueOf(value, range)).toBe(shown))
})
