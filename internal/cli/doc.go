// Package cli is how a Waymark command speaks: answers, progress, events and errors, for people and for programs.
//
// It may not know what the commands do, nor anything of the network; it
// imports no room of the house and starts no goroutine, and the time is handed
// in, so that its pictures can be compared with golden files.
// Start reading at [Out], then [Live], then [Trouble].
package cli
