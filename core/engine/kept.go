package engine

// Kept returns how many things the engine keeps that come and go: operations,
// attempts, checks that wait, connections, seeds, neighbours. However long a
// node lives, it must not grow. Not counted are two lists that fill up once and
// stay so: the memory of failures (params.MemoryEntries at most) and contacts
// of earlier times (params.MaxRemembered).
func (e *Engine) Kept() int {
	return len(e.ops) + len(e.byID) + len(e.queued) + len(e.attempts) +
		len(e.admit.waiting) + len(e.admit.open) + len(e.admit.later) +
		e.linked.known.Len() + len(e.linked.strangers) +
		len(e.seeds.list) + len(e.nearby.handles) + len(e.vouchedFor)
}
