package testkit

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// From linux/if_tun.h.
const (
	tunSetIff = 0x400454ca
	iffTap    = 0x0002
	iffNoPI   = 0x1000
)

// interfaceRequest is struct ifreq, as far as TUNSETIFF reads it.
type interfaceRequest struct {
	name  [syscall.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// openTap makes an interface whose frames this process reads and writes. It
// lives as long as the file is open, in whatever namespace it is moved to.
func openTap(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("testkit: /dev/net/tun: %w", err)
	}
	r := interfaceRequest{flags: iffTap | iffNoPI}
	copy(r.name[:syscall.IFNAMSIZ-1], name)
	if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&r))); failed != 0 {
		syscall.Close(fd)
		return nil, fmt.Errorf("testkit: interface %s: %w", name, failed)
	}
	return os.NewFile(uintptr(fd), name), nil
}
