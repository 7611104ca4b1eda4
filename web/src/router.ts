import { createRouter, createWebHistory } from 'vue-router'
import { useSession } from './sign-in/session'
import { wanted } from './sign-in/wanted'
import { sawFault } from './state/fault'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: () => useSession().home },
    { path: '/sign-in', component: () => import('./sign-in/SignInPage.vue') },
    { path: '/plant/:enterprise', component: () => import('./plant/PlantPage.vue'), props: true },
    { path: '/region', component: () => import('./region/RegionPage.vue') },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.asked) await session.look()
  if (session.standing === null) {
    if (to.path === '/sign-in') return true
    return { path: '/sign-in', query: to.path === '/' ? {} : { to: to.fullPath } }
  }
  if (to.path === '/sign-in') return wanted(to.query.to) ?? session.home
  if (to.path === '/region' && !session.isRegulator) return session.home
  return true
})

const YOUNG_MS = 10_000

// After an update the server has other files: a page of before it is loaded anew, but not for ever.
router.onError((error, to) => {
  const gone = /dynamically imported module|preload/i.test(String(error))
  if (gone && performance.now() > YOUNG_MS) window.location.assign(to.fullPath)
  else sawFault(error)
})
