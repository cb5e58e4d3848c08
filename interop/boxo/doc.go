// Package boxo is tests: the programs of boxo, go-libp2p and its routing helpers on a Waymark node, as they ship.
//
// It may not mend anything for them, and it may not reach another DHT, which
// some packages of boxo do (namesys, gateway, routing/offline): what those call
// stands in standin.
// Start reading at the tests; each is one program.
package boxo
