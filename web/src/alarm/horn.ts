// The horn: a tone while something unacknowledged stands, another while the screen is blind.
// Never silently off: the switch says whether it can be heard.
import { ref } from 'vue'

export type Horn = 'off' | 'on' | 'blocked'
/** What it sounds for: an alarm, or that no alarm could be seen. */
export type Call = 'alarm' | 'blind' | null

const KEPT = 'meltwatch.horn'
const SOUNDS = {
  alarm: { everyMs: 1_600, tones: [[0, 880], [0.28, 660]] },
  blind: { everyMs: 6_000, tones: [[0, 330]] },
} as const
const TONE_S = 0.25
const PATIENCE_MS = 400

export const horn = ref<Horn>('off')
export const calling = ref<Call>(null)
let context: AudioContext | null = null
let timer: number | undefined

export function beginHorn(): void {
  if (kept() === 'on') void turnOn()
}

export async function turnOn(): Promise<void> {
  keep('on')
  try {
    context ??= opened()
    await Promise.race([context.resume(), new Promise((done) => window.setTimeout(done, PATIENCE_MS))])
  } catch {
    context = null // no sound card, no permission: said as blocked
  }
  if (kept() !== 'off') horn.value = isHeard() ? 'on' : 'blocked'
  sound()
}

export function turnOff(): void {
  keep('off')
  horn.value = 'off'
  sound()
}

export function mind(call: Call): void {
  if (calling.value === call) return
  calling.value = call
  sound()
}

const isHeard = (): boolean => context !== null && context.state === 'running'

/** The browser may silence it, or let it be heard, at any time. */
function opened(): AudioContext {
  const made = new AudioContext()
  made.onstatechange = () => {
    if (horn.value !== 'off') horn.value = isHeard() ? 'on' : 'blocked'
  }
  return made
}

function sound(): void {
  window.clearInterval(timer)
  if (calling.value === null || horn.value === 'off') return
  beep()
  timer = window.setInterval(beep, SOUNDS[calling.value].everyMs)
}

function beep(): void {
  if (context === null || calling.value === null || !isHeard()) return
  for (const [after, pitch] of SOUNDS[calling.value].tones) {
    const tone = context.createOscillator()
    const volume = context.createGain()
    tone.frequency.value = pitch
    volume.gain.setValueAtTime(0.18, context.currentTime + after)
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + after + TONE_S - 0.01)
    tone.connect(volume).connect(context.destination)
    tone.start(context.currentTime + after)
    tone.stop(context.currentTime + after + TONE_S)
  }
}

function kept(): string | null {
  try {
    return window.localStorage.getItem(KEPT)
  } catch {
    return null
  }
}

function keep(what: Horn): void {
  try {
    window.localStorage.setItem(KEPT, what)
  } catch {
    // a browser that keeps nothing still sounds
  }
}
