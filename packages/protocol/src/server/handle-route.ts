import { type Log, ShoalError } from '@shoal/core'
import type { AnyNodeRoute } from './node-routes.ts'

/** Runs the handler of a route; resolves to null when it ended well, else to the error that the peer gets. */
export async function handleRoute(
  route: AnyNodeRoute,
  request: unknown,
  context: { readonly send: (message: unknown) => void; readonly signal: AbortSignal; readonly log: Log | null },
): Promise<ShoalError | null> {
  try {
    await route.handle(request, context.send, context.signal)
    return null
  } catch (thrown) {
    if (thrown instanceof ShoalError) return thrown
    // A defect; its message may hold what it worked on, so it stays on this machine.
    context.log?.error({ method: route.name, err: thrown }, 'a handler failed')
    return new ShoalError({ code: 'INTERNAL', message: `${route.name} failed inside the node`, cause: thrown })
  }
}
