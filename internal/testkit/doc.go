// Package testkit makes hosts of their own for tests: Linux network namespaces joined by switches, with a node in each in a process of its own; and worlds of hosts in virtual time.
//
// It may not touch the network of whoever runs it: all interfaces are made inside namespaces of its own,
// from which no route leads out, and which end with the process that made them, however that ends.
// Start reading at [NewLab], then [Host.Start] and [Main]; for virtual time at [InBubble].
package testkit
