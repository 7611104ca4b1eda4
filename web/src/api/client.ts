// Asks the server, and turns whatever goes wrong into one kind of error with words.
import type { Ordered, Plant, ProblemDocument, Standing, Summary, Text, Trend } from './shapes'

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly text: Text,
    readonly retryAfterS: number | null = null,
  ) {
    super(text[1])
  }
}

const UNREACHED: Text = ['服务器无应答,请检查网络后重试', 'The server does not answer: check the network, then try again']
const TIMEOUT_MS = 15_000

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { 'Meltwatch-Request': '1', Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  let answer: Response
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch {
    throw new Refusal(0, UNREACHED)
  }
  if (!answer.ok) throw await refusal(answer)
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

async function refusal(answer: Response): Promise<Refusal> {
  const after = answer.headers.get('retry-after')
  const retry = after === null ? null : Number(after)
  try {
    const told = (await answer.json()) as ProblemDocument
    const zh = told.problems.map((one) => one.zh).join(';') || told.title_zh
    const en = told.problems.map((one) => one.en).join('; ') || told.title
    return new Refusal(answer.status, [zh, en], retry)
  } catch {
    return new Refusal(answer.status, [`服务器拒绝(${answer.status})`, `Refused (${answer.status})`], retry)
  }
}

/** Why a stream cannot be had: an EventSource says only that, not why. Null: it can, or nobody answers. */
async function whyNot(path: string): Promise<Refusal | null> {
  const asking = new AbortController()
  const late = window.setTimeout(() => asking.abort(), TIMEOUT_MS)
  try {
    const answer = await fetch(path, { headers: { Accept: 'text/event-stream' }, signal: asking.signal })
    return answer.ok ? null : await refusal(answer)
  } catch {
    return null
  } finally {
    window.clearTimeout(late)
    asking.abort()
  }
}

const plantPath = (enterprise: string) => `/api/plants/${encodeURIComponent(enterprise)}`

export const api = {
  signIn: (login: string, password: string) => ask<Standing>('POST', '/api/session', { login, password }),
  signOut: () => ask<void>('DELETE', '/api/session'),
  standing: () => ask<Standing>('GET', '/api/session'),
  plants: () => ask<Summary[]>('GET', '/api/plants'),
  plant: (enterprise: string) => ask<Plant>('GET', plantPath(enterprise)),
  trend: (enterprise: string, point: string, from: number, to: number, width: number) => {
    const asked = new URLSearchParams({ point, from: String(from), to: String(to), width: String(width) })
    return ask<Trend>('GET', `${plantPath(enterprise)}/trend?${asked}`)
  },
  acknowledge: (enterprise: string, occurrence: string) =>
    ask<Ordered>('POST', `${plantPath(enterprise)}/occurrences/${occurrence}/acknowledge`, { why: '' }),
  order: (enterprise: string, id: string, move: 'verify' | 'handle' | 'close', words: string) => {
    const named = { verify: 'found', handle: 'measure', close: 'cause' }[move]
    return ask<Ordered>('POST', `${plantPath(enterprise)}/cases/${id}/${move}`, { [named]: words })
  },
  liveOf: (enterprise: string) => `${plantPath(enterprise)}/live`,
  live: '/api/live',
  whyNot,
}
