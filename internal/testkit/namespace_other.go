//go:build !linux

package testkit

import (
	"errors"
	"os/exec"
)

// namespace exists on Linux alone.
type namespace struct{}

var errNoNamespaces = errors.New("testkit: network namespaces exist on Linux alone")

func newNamespace() (*namespace, error) { return nil, errNoNamespaces }

func (n *namespace) pid() int                            { return 0 }
func (n *namespace) command(string, ...string) *exec.Cmd { return nil }
func (n *namespace) ip(...string) error                  { return errNoNamespaces }
func (n *namespace) batch(string, []string) error        { return errNoNamespaces }
func (n *namespace) set(string, string) error            { return errNoNamespaces }
func (n *namespace) id() (string, error)                 { return "", errNoNamespaces }
func (n *namespace) close()                              {}

func overflows() uint64 { return 0 }

// why says what is missing for namespaces.
func why() string { return errNoNamespaces.Error() }
