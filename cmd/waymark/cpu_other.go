//go:build !unix

package main

import "time"

var processBegan = time.Now()

// cpuSeconds returns how long the process has run: a simulation keeps one
// processor busy all the time.
func cpuSeconds() float64 { return time.Since(processBegan).Seconds() }
