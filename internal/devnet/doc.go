// Package devnet is a whole network of real nodes on this machine's loopback, a share of them faulty, whose truth is known.
//
// It may not know package testing, since the demo ships it, nor what is shown
// of it. Everything that is drawn, keys, faults and seeds, follows from one
// seed; only ports are the kernel's choice.
// Start reading at [Start], then [Network.Truth].
package devnet
