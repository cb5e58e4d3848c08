package engine

import "github.com/waymark-dht/waymark/core/contact"

// Touch reads what a step that concerns a peer will read, and changes nothing:
// for the owner of so many engines that none is in the processor's cache, who
// knows what is to come and has it fetched in time. What it returns means
// nothing; it is there so that the compiler does not leave the reads out.
func (e *Engine) Touch(peer contact.Handle) uint64 {
	// One field of each cache line that every step reads, in their order.
	sum := uint64(e.now.Mono) + uint64(len(e.ops)) + uint64(len(e.admit.open)) + uint64(e.super.Next()) +
		uint64(e.committed) + uint64(e.memory.Len()) + uint64(len(e.seeds.list))
	if len(e.attempts) > 0 {
		sum += uint64(e.attempts[0].id)
	}
	return sum + uint64(e.linked.known.Touch(peer))
}
