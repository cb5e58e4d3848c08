//go:build !linux

package testkit

import "os"

func openTap(string) (*os.File, error) { return nil, errNoNamespaces }
