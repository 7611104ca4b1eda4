import { createRouter, createWebHistory } from 'vue-router'
import { useSession } from './sign-in/session'

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
  if (session.standing === null) return to.path === '/sign-in' ? true : '/sign-in'
  if (to.path === '/sign-in') return session.home
  if (to.path === '/region' && !session.isRegulator) return session.home
  return true
})
