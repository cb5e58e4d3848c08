// Package config has the type that nobody outside of its module can name.
//
// It may not have anything else.
// Start reading at [QuorumOptionKey].
package config

// QuorumOptionKey is under what the option Quorum is kept.
type QuorumOptionKey struct{}
