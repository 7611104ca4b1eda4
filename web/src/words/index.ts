// Chinese first, English by a switch that is remembered.
import { computed } from 'vue'
import { createI18n, useI18n } from 'vue-i18n'
import type { Text } from '../api/shapes'
import { en } from './en'
import { zh } from './zh'

export type Language = 'zh' | 'en'
const KEPT = 'meltwatch.language'

function kept(): Language {
  try {
    return window.localStorage.getItem(KEPT) === 'en' ? 'en' : 'zh'
  } catch {
    return 'zh'
  }
}

export const i18n = createI18n({ legacy: false, locale: kept(), fallbackLocale: 'zh', messages: { zh, en } })

export function useWords() {
  const { t, locale } = useI18n()
  const language = computed(() => locale.value as Language)
  /** A text of the server in the language shown. */
  const say = (text: Text | null | undefined): string => (text ? text[language.value === 'zh' ? 0 : 1] : '')
  function turn(): void {
    locale.value = language.value === 'zh' ? 'en' : 'zh'
    document.documentElement.lang = locale.value === 'zh' ? 'zh-CN' : 'en'
    try {
      window.localStorage.setItem(KEPT, locale.value)
    } catch {
      // a browser that keeps nothing still switches
    }
  }
  /** A length of time in words: seconds, minutes, hours, days. */
  function lasting(ms: number): string {
    const s = Math.max(0, Math.floor(ms / 1000))
    if (s < 60) return t('duration.s', { n: s })
    if (s < 600) return t('duration.ms', { n: Math.floor(s / 60), s: s % 60 })
    if (s < 3600) return t('duration.m', { n: Math.floor(s / 60) })
    if (s < 86_400) return t('duration.h', { n: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) })
    return t('duration.d', { n: Math.floor(s / 86_400), h: Math.floor((s % 86_400) / 3600) })
  }
  return { t, language, say, turn, lasting }
}
