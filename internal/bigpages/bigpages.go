// Package bigpages asks the kernel to keep a large heap on large pages, which a processor finds much faster.
//
// It may not know what the heap holds; it changes no content and is never needed.
// Start reading at [Keep].
package bigpages

import "time"

// size is that of a large page of the processors in use.
const size = 2 << 20

// least is the smallest area that is worth a look: a heap grows by as much.
const least = 2 * size

// every is how often areas that have grown are looked for: a simulation of a
// hundred thousand nodes grows by some megabytes a second.
const every = time.Second

// Keep looks now and then, until stop is called, whether the process has grown,
// and moves what is new onto large pages. Where the kernel has none, or does
// not offer them to those who ask, nothing happens. For processes that hold
// gigabytes and read them at random: Linux leaves that decision to them by
// default ("madvise"), and Go does not take it.
func Keep() (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		m := mover{moved: make(map[uintptr]bool)}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// mover knows which pages have been moved already.
type mover struct{ moved map[uintptr]bool }

// area is a stretch of the address space.
type area struct{ from, to uintptr }

// pages are the large pages that lie in an area as a whole.
func (a area) pages(yield func(uintptr) bool) {
	for at := (a.from + size - 1) &^ (size - 1); at+size <= a.to; at += size {
		if !yield(at) {
			return
		}
	}
}
